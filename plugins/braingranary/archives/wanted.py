"""The series that an archive announced and that are not staged yet: one small object each, under wanted/.

A series becomes wanted when a run's manifest names it and stays so until a run has published it as staged or rejected,
whatever is killed in between, or a person has dismissed it. Later runs of the archive try it again, the longest waiting
first. Whoever writes an entry looks afterwards whether the series was staged or dismissed meanwhile, and then takes the
entry back, so that no order of two runs leaves one behind.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissal:
    """A person's decision that a series is not wanted, whatever its archive announces; it stands until it is undone."""

    record: SeriesRecord
    by: str
    why: str
    at: datetime
    attempts: int
    """How often the series had been tried in vain."""
    last_code: Code | None


def announce(store: ObjectStore, records: Iterable[SeriesRecord]) -> list[SeriesRecord]:
    """Note every one of `records` that is neither staged nor dismissed as wanted; returns those not dismissed."""
    now = datetime.now(UTC)

    def note(record: SeriesRecord) -> SeriesRecord | None:
        if _is_staged(store, record):
            return record
        if store.exists(_dismissal_key(record)):
            return None
        if store.put(_key(record), to_json(WantedSeries(record=record, since=now)), if_absent=True):
            _take_back_if_done(store, record)
        return record

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="wanted") as pool:
        return [record for record in pool.map(note, records) if record is not None]


def note_failure(store: ObjectStore, record: SeriesRecord, error: GranaryError) -> None:
    """Note one more vain attempt at a wanted series; nothing where it is staged and was only to be fetched again."""
    if _is_staged(store, record):
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
    _take_back_if_done(store, record)


def dismiss(store: ObjectStore, archive: str, series_uid: str, by: str, why: str) -> Dismissal:
    """Stop wanting a series; the decision is kept under dismissed/ and logged.

    Args:
        store: the object store.
        archive: name of the archive, as in keys.
        series_uid: its SeriesInstanceUID.
        by: who decides, such as an account's email address.
        why: the reason, for whoever looks later.

    Returns:
        The decision as it is kept.

    Raises:
        RejectedInput: the series is not wanted (NOT_FOUND), or `by` or `why` is empty (REQUEST_INVALID).

    """
    if not by.strip() or not why.strip():
        raise RejectedInput(Code.REQUEST_INVALID, "say who dismisses the series, and why")
    name = f"/{keys.checked_uid(series_uid)}.json"
    found = [item.key for item in store.list(keys.wanted_prefix(archive)) if item.key.endswith(name)]
    entries = [entry for key in found if (entry := _read(store, key)) is not None]
    if not entries:
        raise RejectedInput(Code.NOT_FOUND, f"series {series_uid} is not wanted from {archive}")
    decisions = [
        Dismissal(
            record=entry.record,
            by=by.strip(),
            why=why.strip(),
            at=datetime.now(UTC),
            attempts=entry.attempts,
            last_code=entry.last_code,
        )
        for entry in entries
    ]
    for decision in decisions:  # first the decision: a run that writes the entry now sees it
        store.put(_dismissal_key(decision.record), to_json(decision))
        store.delete(_key(decision.record))
        _log.info("wanted_series_dismissed", archive=archive, series=series_uid, by=decision.by, why=decision.why)
    return decisions[0]


def undo_dismissal(store: ObjectStore, archive: str, series_uid: str) -> None:
    """Let a dismissed series be wanted again: later runs try it like every other.

    Raises RejectedInput(NOT_FOUND) where it is not dismissed.
    """
    found = [decision for decision in dismissals(store, archive) if decision.record.series_uid == series_uid]
    if not found:
        raise RejectedInput(Code.NOT_FOUND, f"series {series_uid} of {archive} is not dismissed")
    for decision in found:
        entry = WantedSeries(
            record=decision.record, since=decision.at, attempts=decision.attempts, last_code=decision.last_code
        )
        store.delete(_dismissal_key(entry.record))
        if store.put(_key(entry.record), to_json(entry), if_absent=True):
            _take_back_if_done(store, entry.record)


def dismissals(store: ObjectStore, archive: str) -> list[Dismissal]:
    """Every standing dismissal of series of `archive`, in order of collection and UID."""
    return [from_json(Dismissal, store.get(item.key)) for item in store.list(keys.dismissed_prefix(archive))]


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
    return dict(Counter(item.key.split("/")[1] for item in store.list(keys.WANTED_PREFIX)))


def to_retry(
    store: ObjectStore, archive: str, announced: Collection[str], at_most: int = RETRIED_MAX
) -> list[SeriesRecord]:
    """Series of earlier runs to try again: those tried in vain, and those that a run has left alone for hours.

    `announced` holds the SeriesInstanceUIDs that the run takes anyway. What another run is about to try is its own.
    The longest waiting come first, `at_most` of them.
    """
    if at_most <= 0:
        return []
    now = datetime.now(UTC)
    left = [
        entry.record
        for entry in outstanding(store, archive)
        if entry.record.series_uid not in announced and (entry.attempts or now - entry.since > ABANDONED_AFTER)
    ]
    if len(left) > at_most:
        _log.warning("wanted_series_wait", waiting=len(left) - at_most)
    return left[:at_most]


def _take_back_if_done(store: ObjectStore, record: SeriesRecord) -> None:
    """Remove the entry just written where the series was staged or dismissed after we had looked."""
    if _is_staged(store, record) or store.exists(_dismissal_key(record)):
        store.delete(_key(record))


def _is_staged(store: ObjectStore, record: SeriesRecord) -> bool:
    return store.exists(keys.canonical(record.archive, record.collection, record.series_uid))


def _dismissal_key(record: SeriesRecord) -> str:
    return keys.dismissed(record.archive, record.collection, record.series_uid)


def _key(record: SeriesRecord) -> str:
    return keys.wanted(record.archive, record.collection, record.series_uid)


def _read(store: ObjectStore, key: str) -> WantedSeries | None:
    try:
        return from_json(WantedSeries, store.get(key))
    except RejectedInput as error:
        if error.code is not Code.OBJECT_MISSING:  # an entry that nobody can read must not stop a run
            _log.error("wanted_entry_unreadable", key=key, code=error.code)
        return None
