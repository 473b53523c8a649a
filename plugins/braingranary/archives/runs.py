"""What an ingest run keeps in the object store: its manifest, the result of each batch, and what it published.

Objects under `runs/ingest/<run>/`: `manifest.json` and `batches/<nnnn>.json`, replaced where a step that is run again
finds something else, and `published.json`, written once by a conditional PUT. Replays with the same outcome leave every
object as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from braingranary.archives.codec import from_json, to_json
from braingranary.archives.staging import StagedSeries
from braingranary.errors import Code, RejectedInput
from braingranary.records import Json, Reject, SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

STEP: Final = "ingest"
BATCH_BYTES_MAX: Final = 2 * 1024**3  # some minutes at 10 MB/s: little is repeated when a task is killed
BATCHES_MAX: Final = 1000  # Airflow maps one task over at most 1,024
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The series of one run in batches: those of earlier runs first, then what the archive announced, by UID."""

    run: str
    archive: str
    query: Mapping[str, Json]
    """What the archive was asked, for people."""
    batches: tuple[tuple[SeriesRecord, ...], ...]
    rejects: tuple[Reject, ...] = ()
    """Records that cannot be asked for, such as those whose UID is none."""

    @property
    def records(self) -> Iterator[SeriesRecord]:
        """All records."""
        return (record for batch in self.batches for record in batch)

    @property
    def series(self) -> int:
        """Number of series."""
        return sum(len(batch) for batch in self.batches)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedSeries:
    """A series that could not be had this time; it stays wanted."""

    series_uid: str
    code: Code
    detail: str
    wasted_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of every series of one batch, in the manifest's order."""

    run: str
    batch: int
    series: tuple[StagedSeries, ...]
    """Those that are staged or rejected."""
    failed: tuple[FailedSeries, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """For a log line: see `counts_of`."""
        return counts_of(self.series, (), self.failed)

    @property
    def outcome(self) -> tuple[object, ...]:
        """What two attempts with the same end have in common, whoever of them did the work."""
        staged = tuple((item.series_uid, item.raw_key, item.reject) for item in self.series)
        return (*staged, *((item.series_uid, item.code) for item in self.failed))

    def is_of(self, records: Sequence[SeriesRecord]) -> bool:
        """Whether the result is of a batch of just these records, and not of an earlier manifest's."""
        told = sorted([item.series_uid for item in self.series] + [item.series_uid for item in self.failed])
        return told == sorted(keys.segment(record.series_uid) for record in records)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedIngest:
    """The content of `published.json`: `raw_keys` are all series of the run that stand under raw/, new or not."""

    run: str
    archive: str
    raw_keys: tuple[str, ...]
    rejects: tuple[Reject, ...]
    counts: dict[str, int] = field(default_factory=dict)


def counts_of(
    series: Sequence[StagedSeries], rejects: Sequence[Reject], failed: Sequence[FailedSeries] = ()
) -> dict[str, int]:
    """Numbers of series staged (new), already there, rejected and failed; image and zip bytes of the new ones."""
    new = [item for item in series if item.raw_key is not None and not item.already]
    return {
        "series": len(series) + len(rejects) + len(failed),
        "staged": len(new),
        "already": sum(item.already for item in series),
        "rejected": sum(item.reject is not None for item in series) + len(rejects),
        "failed": len(failed),
        "image_bytes": sum(item.image_bytes for item in new),
        "zip_bytes": sum(item.zip_bytes for item in new),
        "wasted_bytes": sum(item.wasted_bytes for item in series) + sum(item.wasted_bytes for item in failed),
    }


def manifest_key(run: str) -> str:
    """Key of the manifest of `run`."""
    return keys.run_object(STEP, run, "manifest.json")


def batch_key(run: str, batch: int) -> str:
    """Key of the result of one batch (0-based)."""
    return keys.run_object(STEP, run, f"batches/{batch:04d}.json")


def published_key(run: str) -> str:
    """Key of what `run` published."""
    return keys.run_object(STEP, run, "published.json")


def read_manifest(store: ObjectStore, run: str) -> Manifest:
    """The manifest of `run`; raises RejectedInput(OBJECT_MISSING, MANIFEST_INVALID)."""
    return from_json(Manifest, store.get(manifest_key(run)))


def read_batch(store: ObjectStore, run: str, batch: int) -> BatchResult | None:
    """The result of one batch, None while it has none."""
    return read_or_none(store, batch_key(run, batch), BatchResult)


def read_published(store: ObjectStore, run: str) -> PublishedIngest:
    """What `run` published; raises RejectedInput(OBJECT_MISSING, MANIFEST_INVALID)."""
    return from_json(PublishedIngest, store.get(published_key(run)))


def write_changed(store: ObjectStore, key: str, value: object) -> None:
    """Make `value` stand at `key`; nothing is written where it does already."""
    data = to_json(value)
    if store.put(key, data, if_absent=True) or store.get(key) == data:
        return
    store.put(key, data)


def write_once(store: ObjectStore, key: str, value: T) -> T:
    """`value` as it stands at `key` afterwards: ours, or the one that another copy wrote before."""
    if store.put(key, to_json(value), if_absent=True):
        return value
    return from_json(type(value), store.get(key))


def read_or_none(store: ObjectStore, key: str, kind: type[T]) -> T | None:
    """The value at `key`, None where there is no object."""
    try:
        return from_json(kind, store.get(key))
    except RejectedInput as error:
        if error.code is Code.OBJECT_MISSING:
            return None
        raise


def cut(records: Iterable[SeriesRecord], batch_size: int) -> tuple[tuple[SeriesRecord, ...], ...]:
    """Batches of at most `batch_size` records and about 2 GiB, in order; larger ones where there would be too many."""
    ordered = list(records)
    size = max(1, batch_size, -(-len(ordered) // BATCHES_MAX))
    bytes_max = max(BATCH_BYTES_MAX, 2 * sum(record.total_bytes or 0 for record in ordered) // BATCHES_MAX)
    batches: list[tuple[SeriesRecord, ...]] = []
    current: list[SeriesRecord] = []
    weight = 0
    for record in ordered:
        told = record.total_bytes or 0
        if current and (len(current) == size or weight + told > bytes_max):
            batches.append(tuple(current))
            current, weight = [], 0
        current.append(record)
        weight += told
    return (*batches, tuple(current)) if current else tuple(batches)
