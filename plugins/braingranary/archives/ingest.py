"""The three steps of an ingest run: write the manifest, stage its batches, publish what arrived.

Goes in: an object store, an archive, a query and the run's name. Comes out: objects under `runs/ingest/<run>/` (see
`archives.runs`) and series under raw/. Every step may be killed, repeated and run twice at once; a repeated run changes
nothing. One series never stops the others. Fails with TransientFailure when the archive or the store stays out of
reach, RejectedInput for a manifest that is none, ConfigurationError for a run that another archive began.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

import structlog

from braingranary.archives.base import Archive, Query
from braingranary.archives.runs import (
    BatchResult,
    Manifest,
    PublishedIngest,
    counts_of,
    cut,
    manifest_key,
    published_key,
    read_batch,
    read_manifest,
    read_or_none,
    write_once,
)
from braingranary.archives.runs import batch_key as _batch_key
from braingranary.archives.staging import STALE_AFTER, StagedSeries, stage_series, sweep_incoming
from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.records import Reject, SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

BATCH_SIZE: Final = 16
_PROGRESS_EVERY_S: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a batch stands. Bytes are those that came over the wire; `eta_s` is None before it can be told."""

    series_done: int
    series_total: int
    bytes_received: int
    seconds: float
    eta_s: float | None
    series_uid: str | None = None
    """The series that was just finished, None for a report in between."""


ProgressCallback: TypeAlias = Callable[[Progress], None]


def write_manifest(
    store: ObjectStore, run: str, archive: Archive, query: Query, batch_size: int = BATCH_SIZE
) -> Manifest:
    """Ask the archive for what `query` wants and write it down, unless the run has its manifest already."""
    standing = read_or_none(store, manifest_key(run), Manifest)
    if standing is None:
        records, rejects = _asked(archive, query)
        ours = Manifest(
            run=run, archive=archive.name, query=query, batches=cut(records, batch_size), rejects=tuple(rejects)
        )
        standing = write_once(store, manifest_key(run), ours)
    _log.info("manifest", run=run, series=standing.series, batches=len(standing.batches), rejects=len(standing.rejects))
    return standing


def stage_batch(  # noqa: PLR0917 - a signature that the DAGs share
    store: ObjectStore,
    run: str,
    batch_index: int,
    archive: Archive,
    force: bool = False,
    progress: ProgressCallback = lambda _progress: None,
    *,
    give_up: bool = False,
) -> BatchResult:
    """Stage one batch with as many downloads at once as the archive allows; a batch that has its result is done.

    A series that stays unavailable is rejected if the archive served another one meanwhile, or with `give_up` (a
    caller's last try); otherwise the archive itself is down: the others are finished and TransientFailure is raised.
    """
    done = read_batch(store, run, batch_index)
    if done is not None:
        return done
    manifest = read_manifest(store, run)
    if manifest.archive != archive.name:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"run {run} was begun with another archive")
    if not 0 <= batch_index < len(manifest.batches):
        raise RejectedInput(Code.REQUEST_INVALID, f"run {run} has no batch {batch_index}")
    sweep_incoming(store)
    records = manifest.batches[batch_index]
    meter = _Meter(records, progress)
    stage = _Stage(store, archive, label=f"{_run_label(run)}.{batch_index:04d}", force=force, meter=meter)
    with ThreadPoolExecutor(max_workers=max(1, archive.connections), thread_name_prefix="stage") as pool:
        outcomes = list(pool.map(stage, records))
    series = _judged(records, outcomes, give_up)
    result = write_once(store, _batch_key(run, batch_index), BatchResult(run=run, batch=batch_index, series=series))
    _log.info("batch_staged", run=run, batch=batch_index, **result.counts)
    return result


def publish(store: ObjectStore, run: str) -> str:
    """Publish what all batches staged and rejected, unless that is done; returns the key of `published.json`.

    Raises RejectedInput(OBJECT_MISSING) while a batch has no result.
    """
    key = published_key(run)
    if store.exists(key):
        return key
    manifest = read_manifest(store, run)
    results = [read_batch(store, run, index) for index in range(len(manifest.batches))]
    series = [item for result in results if result is not None for item in result.series]
    if missing := sum(result is None for result in results):
        raise RejectedInput(Code.OBJECT_MISSING, f"{missing} batches of run {run} are not staged")
    # Every batch is done, so what is left under the run's names in incoming/ belongs to processes that were killed.
    sweep_incoming(store, label=f"{_run_label(run)}.", older_than=timedelta(0))
    ours = PublishedIngest(
        run=run,
        archive=manifest.archive,
        raw_keys=tuple(sorted({item.raw_key for item in series if item.raw_key is not None})),
        rejects=(*manifest.rejects, *(item.reject for item in series if item.reject is not None)),
        counts=counts_of(series, manifest.rejects),
    )
    published = write_once(store, key, ours)
    _log.info("ingest_published", run=run, **published.counts)
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unavailable:
    """A series that could not be had for now, and the bytes that were received of it in vain."""

    failure: TransientFailure
    received: int


class _Stage:
    """Stages one series; an archive that is out of reach is an outcome here, not the end of the batch."""

    def __init__(self, store: ObjectStore, archive: Archive, *, label: str, force: bool, meter: _Meter) -> None:
        self._store, self._archive, self._label, self._force, self._meter = store, archive, label, force, meter

    def __call__(self, record: SeriesRecord) -> StagedSeries | _Unavailable:
        outcome: StagedSeries | _Unavailable
        received = 0

        def count(size: int) -> None:
            nonlocal received
            received += size
            self._meter.received(size)

        try:
            outcome = stage_series(
                self._store,
                self._archive,
                record,
                label=self._label,
                force=self._force,
                on_bytes=count,
            )
        except TransientFailure as failure:
            if failure.code is Code.OBJECT_STORE_UNAVAILABLE:
                raise
            outcome = _Unavailable(failure=failure, received=received)
        self._meter.finished(record.series_uid)
        return outcome


def _judged(
    records: Sequence[SeriesRecord], outcomes: Sequence[StagedSeries | _Unavailable], give_up: bool
) -> tuple[StagedSeries, ...]:
    """The outcomes, failures turned into rejects where the archive is not to blame; raises TransientFailure."""
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, _Unavailable)]
    served = any(isinstance(outcome, StagedSeries) and outcome.attempts for outcome in outcomes)
    if failures and not served and not give_up:
        raise TransientFailure(failures[0].code, f"{len(failures)} of {len(records)} series: {failures[0].message}")
    return tuple(
        _given_up(record, outcome) if isinstance(outcome, _Unavailable) else outcome
        for record, outcome in zip(records, outcomes, strict=True)
    )


def _given_up(record: SeriesRecord, outcome: _Unavailable) -> StagedSeries:
    reject = _reject(record, outcome.failure.code, "stage", outcome.failure.message)
    return StagedSeries(series_uid=reject.series_uid, raw_key=None, wasted_bytes=outcome.received, reject=reject)


def _asked(archive: Archive, query: Query) -> tuple[list[SeriesRecord], list[Reject]]:
    """Usable records in order of UID, at most `query.limit`, and rejects of the others."""
    records: list[SeriesRecord] = []
    rejects: list[Reject] = []
    for record in archive.series(query):
        try:
            keys.checked_uid(record.series_uid)
        except RejectedInput as error:
            rejects.append(_reject(record, error.code, "manifest", error.message))
        else:
            records.append(record)
    records.sort(key=lambda record: record.series_uid)
    rejects.sort(key=lambda reject: (reject.collection, reject.series_uid))
    return records[: query.limit], rejects


def _reject(record: SeriesRecord, code: Code, step: str, detail: str) -> Reject:
    return Reject(
        archive=record.archive,
        collection=record.collection,
        series_uid=keys.segment(record.series_uid),
        code=code,
        step=step,
        detail=detail,
    )


def _run_label(run: str) -> str:
    """A short name for the run in incoming/, where a long one would not fit beside the rest."""
    return hashlib.sha256(run.encode()).hexdigest()[:16]


class _Meter:
    """Counts what the threads receive and reports it, at most once a second and at every finished series."""

    def __init__(self, records: Sequence[SeriesRecord], progress: ProgressCallback) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._weights = {record.series_uid: 1 + (record.total_bytes or 0) for record in records}
        self._total = len(records)
        self._done = 0
        self._done_weight = 0
        self._bytes = 0
        self._began = self._told = time.monotonic()

    def received(self, count: int) -> None:
        """`count` bytes came over the wire."""
        with self._lock:
            self._bytes += count
            if time.monotonic() - self._told >= _PROGRESS_EVERY_S:
                self._tell(None)

    def finished(self, series_uid: str) -> None:
        """One series is done, whatever became of it."""
        with self._lock:
            self._done += 1
            self._done_weight += self._weights.get(series_uid, 1)
            self._tell(series_uid)

    def _tell(self, series_uid: str | None) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._began
        left = sum(self._weights.values()) - self._done_weight
        eta_s = seconds * left / self._done_weight if self._done_weight else None
        self._progress(
            Progress(
                series_done=self._done,
                series_total=self._total,
                bytes_received=self._bytes,
                seconds=seconds,
                eta_s=eta_s,
                series_uid=series_uid,
            )
        )


__all__ = [
    "BATCH_SIZE",
    "STALE_AFTER",
    "BatchResult",
    "Manifest",
    "Progress",
    "PublishedIngest",
    "publish",
    "stage_batch",
    "write_manifest",
]
