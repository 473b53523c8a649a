"""What a normalize run has to do: staged series that no published run has taken under this profile, cut into batches.

Goes in: the store's published ingest and normalize runs. Comes out: raw keys with their sizes, and batches of them of
about one size, the largest first. Where one series was staged with different bytes, the bytes that a published run took
first stay, and otherwise the first key by name: the conflict itself was recorded when it was staged. A segmentation
that came before its images is taken again once they are staged, and so is a series that was marked (see
`normalization.again`). Fails with RejectedInput (OBJECT_MISSING for a named run that is not published) or
TransientFailure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from braingranary.errors import Code, RejectedInput
from braingranary.normalization.again import marked
from braingranary.normalization.parts import STEP, PublishedRun
from braingranary.normalization.profile import Profile
from braingranary.normalization.raw import parse_raw_key
from braingranary.storage import keys
from braingranary.storage.bin_packing import spread
from braingranary.storage.run_parts import published_runs
from braingranary.storage.store import ObjectStore

BATCH_BYTES_DEFAULT: Final = 96 * 1024 * 1024  # 64 to 128 MB of input keep a task's own cost below a few percent
_INGEST: Final = "ingest"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSeries:
    """One staged series that waits for normalization."""

    raw_key: str
    zip_bytes: int


def pending(
    store: ObjectStore, profile: Profile, *, ingest_runs: Sequence[str] | None = None, force: bool = False
) -> tuple[PendingSeries, ...]:
    """Staged series to normalize under `profile`, ordered by key.

    `ingest_runs` names the ingest runs to look at, None means all that are published; `force` takes series again that
    a published run has done. Raises RejectedInput, TransientFailure.
    """
    marks = marked(store, profile.name)
    taken_at = _done(store, profile)
    # The store's clock tells seconds, so a run of the same second does not spend a mark.
    again = {key for key, at in marks.items() if key in taken_at and taken_at[key] <= at}
    done = {parse_raw_key(key).series_uid: key for key in sorted(taken_at)}
    chosen: dict[str, PendingSeries] = {}
    for series in sorted(_staged(store, ingest_runs), key=lambda staged: staged.raw_key):
        uid = parse_raw_key(series.raw_key).series_uid
        taken = done.get(uid)
        if taken is not None and (taken != series.raw_key or not (force or series.raw_key in again)):
            continue
        chosen.setdefault(uid, series)
    return tuple(sorted(chosen.values(), key=lambda series: series.raw_key))


def batches(
    series: Iterable[PendingSeries],
    *,
    batch_bytes: int = BATCH_BYTES_DEFAULT,
    batches_min: int = 1,
    multiple_of: int = 1,
) -> tuple[tuple[str, ...], ...]:
    """Raw keys in batches of about equal bytes, the largest batch first; see `storage.spread`."""
    made = spread(
        series,
        weight=lambda one: one.zip_bytes,
        name=lambda one: one.raw_key,
        batch_bytes=batch_bytes,
        batches_min=batches_min,
        multiple_of=multiple_of,
    )
    return tuple(tuple(one.raw_key for one in batch) for batch in made)


def _done(store: ObjectStore, profile: Profile) -> dict[str, datetime]:
    """Raw keys that published runs have dealt with for good, and when the last of them was published."""
    done: dict[str, datetime] = {}
    awaited: dict[str, tuple[str, datetime]] = {}
    for _, info in published_runs(store, STEP):
        published, at = PublishedRun.from_json(store.get(info.key)), info.modified
        if published.profile == profile.name:
            for part in published.parts:
                awaited.update({key: (prefix, at) for key, prefix in part.awaited.items()})
                for key in part.raw_keys:
                    if key not in part.awaited:
                        done[key] = max(at, done.get(key, at))
    for key, (prefix, at) in awaited.items():
        if key not in done and not _anything_staged(store, prefix):
            done[key] = at
    return done


def _anything_staged(store: ObjectStore, prefix: str) -> bool:
    return any(keys.is_raw_object(info.key) for info in store.list(prefix))


def _staged(store: ObjectStore, ingest_runs: Sequence[str] | None) -> Iterator[PendingSeries]:
    if ingest_runs is None:
        ingest_runs = [run for run, _ in published_runs(store, _INGEST)]
    seen: set[str] = set()
    for run in sorted(set(ingest_runs)):
        for key in _raw_keys(store.get(keys.published(_INGEST, run))):
            if key in seen:
                continue
            seen.add(key)
            parse_raw_key(key)
            info = store.head(key)
            # An object that is gone is still pending: its batch tells so with a reject row.
            yield PendingSeries(raw_key=key, zip_bytes=0 if info is None else info.size)


class _IngestRun(BaseModel):
    """What is needed of a published ingest run; its other fields are none of our business."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    raw_keys: tuple[str, ...]


def _raw_keys(text: bytes) -> tuple[str, ...]:
    try:
        return _IngestRun.model_validate_json(text).raw_keys
    except ValidationError as error:
        raise RejectedInput(Code.MANIFEST_INVALID, "not a published ingest run") from error
