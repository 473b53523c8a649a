"""Marks of series that are to be normalized once more, although a published run has done so: small objects.

An audit marks a series whose packs are gone or damaged, a person one whose reject may no longer hold. A mark is spent
as soon as a run that was published after it has taken the series; nothing has to be removed for that. A run that was
published between the mark and its own reading of the raw object may spend it too early: the next audit marks anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import structlog

from braingranary.errors import RejectedInput
from braingranary.normalization.raw import parse_raw_key
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

_KEY_BYTES_MAX: Final = 1024

_log = structlog.get_logger(__name__)


def mark(store: ObjectStore, profile: str, raw_keys: Iterable[str]) -> int:
    """Mark the series at `raw_keys` to be normalized again under the profile of this name.

    Returns:
        How many were marked.

    Raises:
        RejectedInput: one of them is no raw key (KEY_INVALID); those before it are marked.

    """
    count = 0
    for raw_key in raw_keys:
        store.put(keys.again(profile, parse_raw_key(raw_key).series_uid), raw_key.encode())
        _log.info("series_marked", raw_key=raw_key, profile=profile)
        count += 1
    return count


def marked(store: ObjectStore, profile: str) -> dict[str, datetime]:
    """When each raw key was marked under the profile of this name, spent marks included."""
    found: dict[str, datetime] = {}
    for info in store.list(keys.again_prefix(profile)):
        raw_key = store.get_range(info.key, 0, min(info.size, _KEY_BYTES_MAX)).decode(errors="replace")
        try:
            found[parse_raw_key(raw_key).key] = info.modified
        except RejectedInput as error:  # one that nobody can read must not stop a run
            _log.error("mark_unreadable", key=info.key, code=error.code)
    return found
