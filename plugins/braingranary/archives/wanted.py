"""The series that an archive announced and that are not staged yet: one small object each, under wanted/.

A series becomes wanted when a run's manifest names it and stays so until a run has published it as staged or rejected,
whatever is killed in between. Later runs of the archive try it again, the longest waiting first. An entry that two
runs write at once may be written once too often; the next run that meets the staged series removes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from braingranary.archives.codec import from_json, to_json
from braingranary.archives.staging import STALE_AFTER
from braingranary.errors import Code, GranaryError, RejectedInput
from braingranary.records import SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

RETRIED_MAX: Final = 1000
"""Wanted series of earlier runs that one run tries again: a long outage is made up for over some nights."""
ABANDONED_AFTER: Final = STALE_AFTER
"""What no run has tried for so long belongs to a run that was killed."""
_THREADS: Final = 16  # each request is a small one that waits on the network

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSeries:
    """One series that is wanted, and what came of the attempts at it. Times are UTC."""

    record: SeriesRecord
    since: datetime
    attempts: int = 0
    """How often a batch has tried in vain; each time is several requests."""
    last_attempt_at: datetime | None = None
    last_code: Code | None = None
    last_detail: str = ""


def announce(store: ObjectStore, records: Iterable[SeriesRecord]) -> None:
    """Note every one of `records` that is not staged as wanted, unless it is already."""
    now = datetime.now(UTC)

    def note(record: SeriesRecord) -> None:
        if not store.exists(keys.canonical(record.archive, record.collection, record.series_uid)):
            store.put(_key(record), to_json(WantedSeries(record=record, since=now)), if_absent=True)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="wanted") as pool:
        for _ in pool.map(note, records):
            pass


def note_failure(store: ObjectStore, record: SeriesRecord, error: GranaryError) -> None:
    """Note one more vain attempt at a wanted series; nothing where it is staged and was only to be fetched again."""
    if store.exists(keys.canonical(record.archive, record.collection, record.series_uid)):
        return
    now = datetime.now(UTC)
    standing = _read(store, _key(record)) or WantedSeries(record=record, since=now)
    tried = replace(
        standing,
        attempts=standing.attempts + 1,
        last_attempt_at=now,
        last_code=error.code,
        last_detail=error.message,
    )
    store.put(_key(record), to_json(tried))


def settle(store: ObjectStore, records: Iterable[SeriesRecord]) -> None:
    """Forget that `records` were wanted: they are staged, or rejected for good."""
    store.delete_many(_key(record) for record in records)


def outstanding(store: ObjectStore, archive: str) -> list[WantedSeries]:
    """Everything wanted of `archive`, the longest waiting first."""
    found = [item.key for item in store.list(keys.wanted_prefix(archive))]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="wanted") as pool:
        entries = [entry for entry in pool.map(lambda key: _read(store, key), found) if entry is not None]
    return sorted(entries, key=lambda entry: (entry.since, entry.record.series_uid))


def count_wanted(store: ObjectStore) -> dict[str, int]:
    """How many series are wanted, by archive (as a key segment)."""
    return dict(Counter(item.key.split("/")[1] for item in store.list("wanted/")))


def to_retry(store: ObjectStore, archive: str, announced: Collection[str]) -> list[SeriesRecord]:
    """Series of earlier runs to try again: those tried in vain, and those that a run has left alone for hours.

    `announced` holds the SeriesInstanceUIDs that the run takes anyway. What another run is about to try is its own.
    """
    now = datetime.now(UTC)
    left = [
        entry.record
        for entry in outstanding(store, archive)
        if entry.record.series_uid not in announced and (entry.attempts or now - entry.since > ABANDONED_AFTER)
    ]
    if len(left) > RETRIED_MAX:
        _log.warning("wanted_series_wait", waiting=len(left) - RETRIED_MAX)
    return left[:RETRIED_MAX]


def _key(record: SeriesRecord) -> str:
    return keys.wanted(record.archive, record.collection, record.series_uid)


def _read(store: ObjectStore, key: str) -> WantedSeries | None:
    try:
        return from_json(WantedSeries, store.get(key))
    except RejectedInput as error:
        if error.code is not Code.OBJECT_MISSING:  # an entry that nobody can read must not stop a run
            _log.error("wanted_entry_unreadable", key=key, code=error.code)
        return None
