"""Steps of the DAG `tcia_ingest`: which series are wanted, staging one batch of them, and publishing what arrived."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import structlog

from braingranary.archives import ingest
from braingranary.archives.addresses import AddressPolicy
from braingranary.archives.base import Query
from braingranary.archives.runs import read_published
from braingranary.archives.tcia import TciaArchive, TciaSettings
from braingranary.archives.tcia_manifest import parse_series_list
from braingranary.errors import Code, ConfigurationError, RejectedInput
from braingranary.normalization.plan import pending
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.orchestration.connections import (
    TCIA_CONNECTION,
    ArchiveSettings,
    archive_settings,
    store_settings,
)
from braingranary.orchestration.steps.context import Interval, current_run, label, skip
from braingranary.storage.store import ObjectStore

SIGN_OF_LIFE_EVERY_S: Final = 10.0

_log = structlog.get_logger(__name__)


def wanted(params: Mapping[str, Any], interval: Interval | None, settings: ArchiveSettings) -> Query | None:
    """The query of one DAG run; None where a timed run has no collection to look at.

    Timed runs take what was released in their interval, of the collection of the form or, by default, of those that
    the Connection lists. Runs by hand take what the form says, whenever it was released; they must name something,
    because the whole archive is never what was meant. Raises ConfigurationError, RejectedInput(MANIFEST_INVALID).
    """
    collection = (params.get("collection") or "").strip()
    series = (params.get("series") or "").strip()
    if interval is None and not collection and not series:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "give a collection, or a list of series, in the form")
    collections = (collection,) if collection else settings.collections if interval else ()
    if interval is not None and not collections:
        return None
    return Query(
        collections=collections,
        patients=tuple(patient.strip() for patient in params.get("patients") or () if patient.strip()),
        modalities=tuple(params.get("modality") or ()),
        series_uids=parse_series_list(series, _policy(settings)) if series else (),
        released_from=interval.start.date() if interval else None,
        released_before=interval.end.date() if interval else None,
        limit=params.get("limit"),
    )


def write_manifest() -> list[int]:
    """Write down once which series the run takes; returns the numbers of its batches, skips where there are none."""
    here, settings, store = current_run(), archive_settings(), _store()
    query = wanted(here.params, here.interval, settings)
    if query is None:
        raise skip(f"connection {TCIA_CONNECTION} lists no collections for the nightly run (extra.collections)")
    with _archive(settings) as archive:
        manifest = ingest.write_manifest(store, here.run, archive, query, settings.batch_series)
    if not manifest.batches:
        ingest.publish(store, here.run)  # what cannot even be asked for is told all the same
        raise skip(f"the archive has no such series; {len(manifest.rejects)} records were rejected")
    return list(range(len(manifest.batches)))


def stage(batch: int) -> dict[str, int]:
    """Stage one batch; returns how many series are new, were there already, or were rejected."""
    here, settings = current_run(), archive_settings()
    with _archive(settings) as archive:
        result = ingest.stage_batch(
            _store(),
            here.run,
            batch,
            archive,
            force=bool(here.params.get("force")),
            progress=ProgressLog(),
            give_up=here.last_try,
        )
    counts = result.counts
    label(f"batch {batch + 1}: {counts['staged']} new, {counts['already']} known, {counts['rejected']} rejected")
    return counts


def publish() -> dict[str, int]:
    """Publish what the batches staged and rejected; skips, so that nobody is woken, where nothing is left to do.

    That is asked of the object store and not of this run alone: series that an earlier run staged and could not
    announce are announced by the next one that meets them.
    """
    here, store = current_run(), _store()
    ingest.publish(store, here.run)
    counts = read_published(store, here.run).counts
    if not pending(store, DEFAULT_PROFILE, ingest_runs=[here.run]):
        raise skip(f"nothing new: {counts['already']} series were there, {counts['rejected']} are rejected")
    return counts


def tell_rejects() -> dict[str, int]:
    """Wake the load where a run has rejects and no normalization will bring them along; skips otherwise."""
    here, store = current_run(), _store()
    try:
        published = read_published(store, here.run)
    except RejectedInput as error:
        if error.code is not Code.OBJECT_MISSING:
            raise
        raise skip("the run published nothing") from error
    if not published.rejects or pending(store, DEFAULT_PROFILE, ingest_runs=[here.run]):
        raise skip("no rejects that normalize would not bring along")
    return published.counts


class ProgressLog:
    """Writes the progress of a batch to the task's log: a line a finished series, and a sign of life in between."""

    def __init__(self) -> None:
        self._told_s = time.monotonic()

    def __call__(self, progress: ingest.Progress) -> None:
        """Log `progress` unless it comes too soon after the last line."""
        now_s = time.monotonic()
        if progress.series_uid is None and now_s - self._told_s < SIGN_OF_LIFE_EVERY_S:
            return
        self._told_s = now_s
        _log.info(
            "staging",
            series=f"{progress.series_done} of {progress.series_total}",
            megabytes=round(progress.bytes_received / 1e6, 1),
            megabytes_per_s=round(progress.bytes_received / 1e6 / max(progress.seconds, 0.001), 1),
            seconds_left=None if progress.eta_s is None else round(progress.eta_s),
        )


def _store() -> ObjectStore:
    return ObjectStore.from_settings(store_settings())


def _archive(settings: ArchiveSettings) -> TciaArchive:
    return TciaArchive(
        TciaSettings(
            base_url=settings.base_url,
            name=settings.name,
            connections=settings.connections,
            policy=_policy(settings),
        )
    )


def _policy(settings: ArchiveSettings) -> AddressPolicy:
    """Public addresses, and a private one where an operator typed it, or said so, in the Connection."""
    return AddressPolicy.trusting(settings.base_url) if settings.private else AddressPolicy()
