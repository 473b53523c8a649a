"""The three steps of an ingest run: write the manifest, stage its batches, publish what arrived.

Every step may be killed, repeated and run twice at once; a step that is run again asks the archive again and changes
only what has changed. One series never stops the others: one that cannot be had stays wanted (see `archives.wanted`),
one that cannot be used is rejected. See `archives.runs` for the objects that a run keeps.
"""

from __future__ import annotations

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import structlog
from pydantic import BaseModel, TypeAdapter

from braingranary.archives import wanted
from braingranary.archives.base import Archive, QueryT
from braingranary.archives.codec import to_json
from braingranary.archives.failures import MAY_PASS
from braingranary.archives.progress import ProgressCallback, ProgressMeter
from braingranary.archives.runs import (
    BatchResult,
    FailedSeries,
    Manifest,
    PublishedIngest,
    batch_key,
    counts_of,
    cut,
    manifest_key,
    published_key,
    read_batch,
    read_manifest,
    write_changed,
    write_once,
)
from braingranary.archives.staging import StagedSeries, abort_uploads, stage_series
from braingranary.errors import Code, ConfigurationError, GranaryError, RejectedInput, TransientFailure
from braingranary.records import Json, Reject, SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

BATCH_SIZE: Final = 16
_QUERY: Final = TypeAdapter(dict[str, Json])

_log = structlog.get_logger(__name__)


def write_manifest(
    store: ObjectStore, run: str, archive: Archive[QueryT], query: QueryT, batch_size: int = BATCH_SIZE
) -> Manifest:
    """Ask the archive for what `query` wants, note it as wanted, and write it down with what is wanted still.

    Args:
        store: the object store.
        run: key segment of the run.
        archive: the archive, open.
        query: which series the run is for.
        batch_size: series a batch at most.

    Returns:
        The manifest, which stands at `manifest.json` of the run.

    Raises:
        TransientFailure: the archive or the store stays out of reach.
        RejectedInput: the archive refuses the question.

    """
    records, rejects = _announced(archive, query)
    records = wanted.announce(store, records)
    left = wanted.RETRIED_MAX if query.limit is None else min(wanted.RETRIED_MAX, query.limit - len(records))
    earlier = wanted.to_retry(store, archive.name, {record.series_uid for record in records}, left)
    manifest = Manifest(
        run=run,
        archive=archive.name,
        query=_plain(query),
        batches=cut([*earlier, *records], batch_size),
        rejects=tuple(rejects),
    )
    write_changed(store, manifest_key(run), manifest)
    _log.info(
        "manifest_written",
        run=run,
        series=manifest.series,
        from_earlier_runs=len(earlier),
        batches=len(manifest.batches),
        rejects=len(rejects),
    )
    return manifest


def stage_batch(  # noqa: PLR0917 - a signature that the DAGs share
    store: ObjectStore,
    run: str,
    batch_index: int,
    archive: Archive[Any],
    force: bool = False,
    progress: ProgressCallback = lambda _progress: None,
) -> BatchResult:
    """Stage one batch with as many downloads at once as the archive allows.

    Returns:
        What became of each series. A result that stands and has the same outcome is left as it is.

    Raises:
        TransientFailure: some series could not be had; the others are staged, and these stay wanted.
        ConfigurationError: the run was begun with another archive.
        RejectedInput: there is no such manifest or batch.

    """
    manifest = read_manifest(store, run)
    if manifest.archive != archive.name:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"run {run} was begun with another archive")
    if not 0 <= batch_index < len(manifest.batches):
        raise RejectedInput(Code.REQUEST_INVALID, f"run {run} has no batch {batch_index}")
    records = manifest.batches[batch_index]
    meter = ProgressMeter(records, progress)
    stage = _Stage(store, archive, force=force, meter=meter)
    with ThreadPoolExecutor(max_workers=max(1, archive.connections), thread_name_prefix="stage") as pool:
        outcomes = list(pool.map(stage, records))
    result = BatchResult(
        run=run,
        batch=batch_index,
        series=tuple(outcome for outcome in outcomes if isinstance(outcome, StagedSeries)),
        failed=tuple(outcome for outcome in outcomes if isinstance(outcome, FailedSeries)),
    )
    standing = read_batch(store, run, batch_index)
    if standing is None or standing.outcome != result.outcome:
        write_changed(store, batch_key(run, batch_index), result)
    _log.info("batch_staged", run=run, batch=batch_index, **result.counts)
    if result.failed:
        first = result.failed[0]
        detail = f"{len(result.failed)} of {len(records)} series could not be had and stay wanted: {first.detail}"
        raise TransientFailure(first.code, detail)
    return result


def publish(store: ObjectStore, run: str) -> str | None:
    """Publish what the batches have staged and rejected; series that failed stay wanted and are left out.

    A run that is published already and has the same series and rejects changes nothing; with others it is published
    once more, under a name that tells its content.

    Returns:
        The name under which the run is published; None where it has nothing to publish.

    """
    manifest = read_manifest(store, run)
    series: list[StagedSeries] = []
    settled: list[SeriesRecord] = []
    for index, records in enumerate(manifest.batches):
        result = read_batch(store, run, index)
        if result is None or not result.is_of(records):
            _log.warning("batch_without_result", run=run, batch=index)
            continue
        series += result.series
        failed = {item.series_uid for item in result.failed}
        settled += [record for record in records if record.series_uid not in failed]
    # Every task of the run has ended: what is unfinished of its series belongs to processes that were killed.
    abort_uploads(store, manifest.archive, manifest.records)
    ours = PublishedIngest(
        run=run,
        archive=manifest.archive,
        raw_keys=tuple(sorted({item.raw_key for item in series if item.raw_key is not None})),
        rejects=(*manifest.rejects, *(item.reject for item in series if item.reject is not None)),
        counts=counts_of(series, manifest.rejects),
    )
    if manifest.batches and not ours.raw_keys and not ours.rejects:
        return None
    published = _published_as(store, ours)
    wanted.settle(store, settled)  # not before the run is published: whatever is killed in between is found again
    _log.info("ingest_published", run=published, **ours.counts)
    return published


def _published_as(store: ObjectStore, ours: PublishedIngest) -> str:
    """Publish `ours` unless it is; returns the run's name, or another one where that name tells other content."""
    standing = write_once(store, published_key(ours.run), ours)
    content = (ours.raw_keys, ours.rejects)
    if (standing.raw_keys, standing.rejects) == content:
        return ours.run
    digest = hashlib.sha256(to_json(replace(ours, counts={}))).hexdigest()[:12]
    again = replace(ours, run=f"{ours.run}.{digest}")
    write_once(store, published_key(again.run), again)
    return again.run


class _Stage:
    """Stages one series; a series that cannot be had is an outcome here, not the end of the batch."""

    def __init__(self, store: ObjectStore, archive: Archive[Any], *, force: bool, meter: ProgressMeter) -> None:
        self._store, self._archive, self._force, self._meter = store, archive, force, meter

    def __call__(self, record: SeriesRecord) -> StagedSeries | FailedSeries:
        outcome: StagedSeries | FailedSeries
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
                force=self._force,
                on_bytes=count,
            )
        except GranaryError as error:
            if error.code not in MAY_PASS:  # the object store or a setting, which every other series will meet too
                raise
            wanted.note_failure(self._store, record, error)
            _log.warning("series_failed", series=record.series_uid, code=error.code)
            outcome = FailedSeries(
                series_uid=record.series_uid, code=error.code, detail=error.message, wasted_bytes=received
            )
        self._meter.finished(record.series_uid)
        return outcome


def _plain(query: object) -> dict[str, Json]:
    """A query as JSON, whatever class the archive has for it."""
    if isinstance(query, BaseModel):
        return _QUERY.validate_python(query.model_dump(mode="json"))
    if dataclasses.is_dataclass(query) and not isinstance(query, type):
        return _QUERY.validate_json(to_json(query))
    return {}


def _announced(archive: Archive[QueryT], query: QueryT) -> tuple[list[SeriesRecord], list[Reject]]:
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
