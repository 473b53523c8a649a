"""Compare what an archive lists of a collection with what is staged and wanted, and note the differences.

What is listed and neither staged nor dismissed becomes wanted. What is known and no longer listed is marked under
withdrawn/, as missing at first and as withdrawn once a listing at least a day later lacks it too; a listing that has it
again removes the mark. Listings in which much is missing are not believed without a person (see `reconcile`). What is
listed with other images is fetched once more (see `fetch_revised`). Nothing that is staged is changed or removed here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from braingranary.archives import wanted
from braingranary.archives.base import Archive, QueryT
from braingranary.archives.codec import from_json, to_json
from braingranary.archives.ingest import BATCH_SIZE, publish, stage_batch
from braingranary.archives.runs import Manifest, cut, manifest_key, read_manifest, read_or_none, write_once
from braingranary.archives.staging import read_canonical
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.records import SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

CONFIRMED_AFTER: Final = timedelta(days=1)
"""Two listings so far apart are not of the same bad hour of an archive."""
MISSING_SHARE_MAX: Final = 0.05
"""A listing that lacks a larger share of what is known of its collection waits for a person."""
_THREADS: Final = 16  # each request is a small one that waits on the network

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """The mark of a series that its archive does not list any more. Times are UTC."""

    archive: str
    collection: str
    series_uid: str
    missing_since: datetime
    """Time of the first listing that lacked it."""
    withdrawn_at: datetime | None = None
    """Time of the later listing that confirmed it; None while it is only missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """How an archive's listing of one collection differs from what is known of it. UIDs are in order."""

    archive: str
    collection: str
    listed: int
    known: int
    """Series that are staged or wanted, but for those withdrawn already."""
    newly_wanted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Marked, and waiting for a second listing."""
    withdrawn: tuple[str, ...] = ()
    """Confirmed by this listing."""
    returned: tuple[str, ...] = ()
    """Marked by earlier listings, and listed again."""
    revised: tuple[SeriesRecord, ...] = ()
    """Staged with another number of images or bytes than the archive lists now."""
    refused: Code | None = None
    """LISTING_INCOMPLETE where too much was missing for the listing to be believed; no mark was made then."""

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of all lists, for logs and events."""
        return {
            "listed": self.listed,
            "known": self.known,
            "newly_wanted": len(self.newly_wanted),
            "missing": len(self.missing),
            "withdrawn": len(self.withdrawn),
            "returned": len(self.returned),
            "revised": len(self.revised),
            "refused": int(self.refused is not None),
        }


def reconcile(
    store: ObjectStore,
    archive: Archive[QueryT],
    query: QueryT,
    collection: str,
    *,
    modalities: Collection[str] = (),
    accept_withdrawals: bool = False,
    now: datetime | None = None,
) -> Reconciliation:
    """Compare one collection and note the differences; a second time with the same listing changes nothing.

    Args:
        store: the object store.
        archive: the archive, open.
        query: asks for every series of the collection, of every kind.
        collection: its name.
        modalities: kinds of series that are to become wanted; empty for all.
        accept_withdrawals: believe the listing even where more than `MISSING_SHARE_MAX` of what is known is missing
            or where it is empty: a person has looked.
        now: time of the listing, UTC; by default this moment.

    Returns:
        The differences.

    Raises:
        TransientFailure: the archive or the store stays out of reach, or an answer was cut; nothing was noted.
        RejectedInput: the archive refuses the question.

    """
    at = now or datetime.now(UTC)
    listed = {record.series_uid: record for record in _usable(archive.series(query)) if record.collection == collection}
    before = set(_known(store, archive.name, collection))
    marks = {mark.series_uid: mark for mark in withdrawals(store, archive.name, collection)}
    known = before - {uid for uid, mark in marks.items() if mark.withdrawn_at is not None}
    unmarked = sorted(known - listed.keys() - marks.keys())
    refused = None
    if not accept_withdrawals and known and (not listed or len(unmarked) > MISSING_SHARE_MAX * len(known)):
        refused = Code.LISTING_INCOMPLETE
        _log.error("listing_refused", collection=collection, listed=len(listed), known=len(known), new=len(unmarked))
    returned = _unmark(store, [mark for uid, mark in marks.items() if uid in listed])
    wishes = [record for record in listed.values() if not modalities or record.modality in modalities]
    announced = {record.series_uid for record in wanted.announce(store, wishes)}
    found = Reconciliation(
        archive=archive.name,
        collection=collection,
        listed=len(listed),
        known=len(known),
        newly_wanted=tuple(sorted(announced - before)),
        returned=returned,
        revised=_revised(store, [record for uid, record in sorted(listed.items()) if uid in before]),
        refused=refused,
    )
    if refused is None:
        open_marks = [mark for uid, mark in marks.items() if uid not in listed and mark.withdrawn_at is None]
        missing, withdrawn = _mark(store, archive.name, collection, unmarked, open_marks, at)
        found = replace(found, missing=missing, withdrawn=withdrawn)
    _log.info("collection_reconciled", archive=archive.name, collection=collection, **found.counts)
    return found


def withdrawals(store: ObjectStore, archive: str, collection: str) -> list[Withdrawal]:
    """Every mark of the collection, missing and withdrawn, in order of UID."""
    return [
        from_json(Withdrawal, store.get(item.key)) for item in store.list(keys.withdrawn_prefix(archive, collection))
    ]


def fetch_revised(
    store: ObjectStore, run: str, archive: Archive[Any], records: Iterable[SeriesRecord], batch_size: int = BATCH_SIZE
) -> str | None:
    """Fetch revised series again as an ingest run of its own: what differs is kept beside the first, its conflict told.

    The first version goes on to speak for the series; the new bytes lie in quarantine under SERIES_CONTENT_CONFLICT
    with a reject that is not fatal. A series with such a conflict is not fetched once more.

    Returns:
        The name under which the run is published; None where there was nothing to fetch.

    Raises:
        TransientFailure: some series could not be had now; trying again goes on with them.

    """
    conflict = Code.SERIES_CONTENT_CONFLICT
    if read_or_none(store, manifest_key(run), Manifest) is None:
        fresh = [
            record
            for record in records
            if not any(
                store.list(keys.quarantine_prefix(record.archive, record.collection, record.series_uid, conflict))
            )
        ]
        if not fresh:
            return None
        manifest = Manifest(run=run, archive=archive.name, query={"revised": True}, batches=cut(fresh, batch_size))
        write_once(store, manifest_key(run), manifest)
    failure: TransientFailure | None = None
    for index in range(len(read_manifest(store, run).batches)):
        try:
            stage_batch(store, run, index, archive, force=True)
        except TransientFailure as error:
            failure = error
    published = publish(store, run)  # what was found is told, although others could not be had
    if failure is not None:
        raise failure
    return published


def _usable(records: Iterable[SeriesRecord]) -> Iterable[SeriesRecord]:
    """Those whose UID is one; the others are rejects of every ingest that meets them."""
    for record in records:
        try:
            keys.checked_uid(record.series_uid)
        except RejectedInput:
            continue
        yield record


def _known(store: ObjectStore, archive: str, collection: str) -> Iterable[str]:
    """UIDs of the series that are staged or wanted."""
    for item in store.list(keys.raw_collection_prefix(archive, collection)):
        if item.key.endswith("/canonical.json"):
            yield item.key.split("/")[-2]
    for item in store.list(keys.wanted_collection_prefix(archive, collection)):
        yield item.key.rpartition("/")[2].removesuffix(".json")


def _unmark(store: ObjectStore, marks: Iterable[Withdrawal]) -> tuple[str, ...]:
    """Remove the marks of series that are listed again; returns their UIDs."""
    uids = []
    for mark in marks:
        store.delete(keys.withdrawn(mark.archive, mark.collection, mark.series_uid))
        uids.append(mark.series_uid)
    return tuple(sorted(uids))


def _mark(  # noqa: PLR0917 - a part of `reconcile`
    store: ObjectStore, archive: str, collection: str, new: Iterable[str], standing: Iterable[Withdrawal], at: datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Mark the `new` ones as missing, confirm `standing` marks that are old enough; returns (missing, withdrawn)."""
    marks = [*standing]
    for uid in new:
        mark = Withdrawal(archive=archive, collection=collection, series_uid=uid, missing_since=at)
        store.put(keys.withdrawn(archive, collection, uid), to_json(mark), if_absent=True)
        marks.append(mark)
    missing, withdrawn = [], []
    for mark in marks:
        if at - mark.missing_since < CONFIRMED_AFTER:
            missing.append(mark.series_uid)
            continue
        key = keys.withdrawn(archive, collection, mark.series_uid)
        store.put(key, to_json(replace(mark, withdrawn_at=at)))
        store.delete(keys.wanted(archive, collection, mark.series_uid))
        withdrawn.append(mark.series_uid)
    return tuple(sorted(missing)), tuple(sorted(withdrawn))


def _revised(store: ObjectStore, records: Iterable[SeriesRecord]) -> tuple[SeriesRecord, ...]:
    """Those of which the archive lists other images than its record listed when they were staged."""

    def is_revised(record: SeriesRecord) -> bool:
        receipt = read_canonical(store, record)
        return receipt is not None and _size(receipt.record) != _size(record)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="reconcile") as pool:
        asked = list(records)
        return tuple(record for record, revised in zip(asked, pool.map(is_revised, asked), strict=True) if revised)


def _size(record: SeriesRecord) -> tuple[int | None, int | None]:
    return record.image_count, record.total_bytes
