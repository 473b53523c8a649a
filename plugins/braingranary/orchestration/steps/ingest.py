"""Steps of every ingest DAG: which series are wanted, staging one batch of them, and publishing what arrived.

The DAG passes the kind of its archive; `archives.registry` knows how to open it.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from airflow.sdk.exceptions import AirflowFailException

from braingranary.archives import ingest
from braingranary.archives.base import ReleaseInterval
from braingranary.archives.progress import Progress
from braingranary.archives.registry import archive_kind
from braingranary.archives.runs import PublishedIngest, read_manifest, read_published
from braingranary.errors import Code, RejectedInput
from braingranary.normalization.plan import pending
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.orchestration.connections import archive_connection, store_settings
from braingranary.orchestration.steps.context import Interval, current_run, label, skip
from braingranary.storage.store import ObjectStore

SIGN_OF_LIFE_EVERY_S: Final = 10.0

_log = structlog.get_logger(__name__)


def write_manifest(kind: str) -> list[int]:
    """Ask the archive and write down which series the run takes; returns its batches' numbers, skips without any."""
    here, store, archives = current_run(), _store(), archive_kind(kind)
    connection = archive_connection(archives.connection)
    query = archives.query(here.params, release_interval(here.interval), connection)
    if query is None:
        raise skip(f"connection {connection.name} lists no collections for the nightly run (extra.collections)")
    with archives.open(connection) as archive:
        manifest = ingest.write_manifest(store, here.run, archive, query, connection.batch_series)
    if not manifest.batches:
        ingest.publish(store, here.run)  # records that cannot even be asked for are rejects all the same
        raise skip(f"the archive has no such series; {len(manifest.rejects)} records were rejected")
    return list(range(len(manifest.batches)))


def stage(kind: str, batch: int) -> dict[str, int]:
    """Stage one batch; returns how many series are new, were there already, or were rejected."""
    here, store, archives = current_run(), _store(), archive_kind(kind)
    connection = archive_connection(archives.connection)
    name = f"batch {batch + 1} of {len(read_manifest(store, here.run).batches)}"
    label(name)
    force = bool(here.params.get("force"))
    with archives.open(connection) as archive:
        result = ingest.stage_batch(store, here.run, batch, archive, force=force, progress=ProgressLog())
    counts = result.counts
    label(f"{name}: {counts['staged']} new, {counts['already']} known, {counts['rejected']} rejected")
    return counts


def publish() -> dict[str, int]:
    """Publish what the batches staged and rejected; skips, so that nobody is woken, where nothing is left to do.

    That is asked of the object store and not of this run alone: series that an earlier run staged and could not
    announce are announced by the next one that meets them.
    """
    store = _store()
    published = _published(store)
    counts = published.counts
    if not pending(store, DEFAULT_PROFILE, ingest_runs=[published.run]):
        raise skip(f"nothing new: {counts['already']} series were there, {counts['rejected']} are rejected")
    return counts


def announce_rejects() -> dict[str, int]:
    """Wake the load where a run has rejects and no normalization will bring them along; skips otherwise."""
    store = _store()
    published = _published(store)
    if not published.rejects or pending(store, DEFAULT_PROFILE, ingest_runs=[published.run]):
        raise skip("no rejects that normalize would not bring along")
    return published.counts


def fail_incomplete() -> None:
    """Fail the run in which a batch failed on its last try: its series stay wanted."""
    raise AirflowFailException("some series could not be had; they stay wanted: clear the run, or let a later one try")


def release_interval(interval: Interval | None) -> ReleaseInterval | None:
    """The days of release that a data interval stands for."""
    return ReleaseInterval(start=interval.start.date(), before=interval.end.date()) if interval else None


class ProgressLog:
    """Writes the progress of a batch to the task's log: a line a finished series, and a sign of life in between."""

    def __init__(self) -> None:
        self._logged_s = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Log `progress` unless it comes too soon after the last line."""
        now_s = time.monotonic()
        if progress.series_uid is None and now_s - self._logged_s < SIGN_OF_LIFE_EVERY_S:
            return
        self._logged_s = now_s
        _log.info(
            "staging",
            series=f"{progress.series_done} of {progress.series_total}",
            megabytes=round(progress.bytes_received / 1e6, 1),
            megabytes_per_s=round(progress.bytes_received / 1e6 / max(progress.seconds, 0.001), 1),
            seconds_left=None if progress.eta_s is None else round(progress.eta_s),
        )


def _published(store: ObjectStore) -> PublishedIngest:
    """What the run publishes; skips the task where that is nothing. Publishing again changes nothing."""
    here = current_run()
    try:
        name = ingest.publish(store, here.run)
    except RejectedInput as error:
        if error.code is not Code.OBJECT_MISSING:
            raise
        raise skip("the run has no manifest") from error
    if name is None:
        raise skip("the run has staged nothing")
    return read_published(store, name)


def _store() -> ObjectStore:
    return ObjectStore.from_settings(store_settings())
