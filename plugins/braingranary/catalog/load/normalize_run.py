"""Loading a published normalize run into the catalogue: COPY into staging, check, merge; one transaction.

Why one: readers see the run whole or not at all, and a kill at any point leaves nothing to clean up. Goes in: a
PostgreSQL connection that is in no transaction, the object store and the name of the run. Comes out: what was carried
and what changed. Published ingest runs that are not loaded yet come along, for their rejects. The same run twice is a
no-op; loads exclude each other by an advisory lock.
Fails with RejectedInput (OBJECT_MISSING, MANIFEST_INVALID, CATALOG_CHECK_FAILED, CATALOG_GATE_FAILED),
TransientFailure (CATALOG_UNAVAILABLE, OBJECT_STORE_UNAVAILABLE) or ConfigurationError; whatever it raises, nothing was
changed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import pyarrow as pa
import structlog

from braingranary.catalog import sql
from braingranary.catalog.load import published
from braingranary.catalog.load.published import PublishedRun
from braingranary.catalog.load.staging import stage_rows, stage_slices
from braingranary.catalog.load.transaction import (
    Connection,
    leave_idle,
    load_transaction,
    mapped,
    raise_catalogue_state,
    run_checks,
    run_gates,
    run_merge,
    upsert,
)
from braingranary.catalog.schema.row_keys import Column, run_id
from braingranary.errors import RejectedInput
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What one load did. The first counts are of the run's own rows; `*_changed` are rows that are new or differ."""

    run: str
    already_loaded: bool
    series: int = 0
    packs: int = 0
    slices: int = 0
    labels: int = 0
    rejects: int = 0
    series_changed: int = 0
    packs_changed: int = 0
    slices_changed: int = 0
    ingest_runs: tuple[str, ...] = ()
    """Ingest runs whose rejects came along."""


def load_run(connection: Connection, store: ObjectStore, run: str, *, gates: bool = True) -> LoadReport:
    """Load the published normalize run `run`, and every published ingest run that is not loaded yet.

    `gates` false is for a run that somebody has looked at: it is loaded though it would not pass the quality gates.
    """
    with load_transaction(connection):
        loaded = _loaded(connection)
        key = keys.published("normalize", run)
        wanted = published.read(store, "normalize", key)
        ingests = _pending_ingests(store, loaded)
        report = LoadReport(run=run, already_loaded=loaded.get(key) == wanted.sha256)
        for ingest in ingests:
            _load_one(connection, store, ingest)
        if not report.already_loaded:
            report = _load_one(connection, store, wanted, gates=gates)
    names = tuple(ingest.run for ingest in ingests)
    report = replace(report, ingest_runs=names)
    _log.info("catalog_loaded", **asdict(report))
    return report


def load_ingests(connection: Connection, store: ObjectStore) -> tuple[str, ...]:
    """Load the rejects of every published ingest run that is not loaded yet; returns the names of those runs.

    For an ingest that staged nothing, after which no normalize run comes.
    """
    with load_transaction(connection):
        ingests = _pending_ingests(store, _loaded(connection))
        for ingest in ingests:
            _load_one(connection, store, ingest)
    return tuple(ingest.run for ingest in ingests)


def load_published(connection: Connection, store: ObjectStore, run: PublishedRun) -> None:
    """Load just this ingest or normalize run; a normalize run has to pass the quality gates."""
    with load_transaction(connection):
        _load_one(connection, store, run, gates=run.step == "normalize")


def loaded_keys(connection: Connection) -> frozenset[str]:
    """Object keys of the ingest and normalize runs that are loaded."""
    with mapped():
        loaded = _loaded(connection)
        leave_idle(connection)
    return frozenset(loaded)


def pending_runs(connection: Connection, store: ObjectStore) -> list[str]:
    """Names of the published normalize runs that are not loaded, the oldest first."""
    with mapped():
        loaded = _loaded(connection)
        leave_idle(connection)
    waiting = [key for key in published.published_keys(store, "normalize") if key not in loaded]
    runs = [published.read(store, "normalize", key) for key in waiting]
    return [item.run for item in sorted(runs, key=lambda item: (item.published_at, item.run))]


def _load_one(connection: Connection, store: ObjectStore, wanted: PublishedRun, *, gates: bool = False) -> LoadReport:
    connection.execute(sql.statement("load/00_stage"))
    counts = stage_rows(connection, store, wanted)
    connection.execute(sql.statement("load/10_duplicates"))
    run_checks(connection, "checks/rows")
    if gates:
        run_gates(connection)
    connection.execute(sql.statement("load/20_changed"))
    row = connection.execute(sql.statement("load/21_count_changed")).fetchone()
    series_changed = int(row[0]) if row else 0
    changed = _changed_packs(connection)
    slices, slices_changed = stage_slices(connection, store, wanted, changed)
    run_checks(connection, "checks/slices")
    if _merge(connection):
        raise_catalogue_state(connection)
    report = LoadReport(
        run=wanted.run,
        already_loaded=False,
        series=counts["series"],
        packs=counts["packs"],
        slices=slices,
        labels=counts["labels"],
        rejects=counts["rejects"],
        series_changed=series_changed,
        packs_changed=sum(len(packs) for packs in changed.values()),
        slices_changed=slices_changed,
    )
    _record(connection, wanted, report)
    connection.execute(sql.statement("load/70_unstage"))
    return report


def _merge(connection: Connection) -> int:
    """Bring what is staged into the catalogue; returns how many rows were written."""
    written = run_merge(connection, "load/30_merge_parents")
    written += upsert(connection, "series", key="series_id", staged="stage_series")
    written += run_merge(connection, "load/35_forget_scores")
    written += run_merge(connection, "load/40_replace_packs")
    written += upsert(connection, "pack", key="pack_id", staged="stage_pack")
    written += run_merge(connection, "load/45_insert_slices")
    written += run_merge(connection, "load/50_derive_parents")
    written += run_merge(connection, "load/60_merge_labels_rejects")
    return written


def _changed_packs(connection: Connection) -> dict[int, Column]:
    """Keys of new and changed packs by the number of their part."""
    rows = connection.execute(sql.statement("load/22_changed_packs")).fetchall()
    return {part: pa.array(packs, pa.int64()) for part, packs in rows}


def _record(connection: Connection, wanted: PublishedRun, report: LoadReport) -> None:
    connection.execute(
        sql.statement("load/80_record_run"),
        {
            "run_id": run_id(wanted.step, wanted.run),
            "step": wanted.step,
            "run": wanted.run,
            "published_key": wanted.key,
            "published_sha256": wanted.sha256,
            "published_at": wanted.published_at,
            "series_count": report.series,
            "pack_count": report.packs,
            "slice_count": report.slices,
            "label_count": report.labels,
            "reject_count": report.rejects,
        },
    )


def _loaded(connection: Connection) -> dict[str, str]:
    """SHA-256 of what was loaded, by object key."""
    return dict(connection.execute(sql.statement("queries/loaded_runs")).fetchall())


def _pending_ingests(store: ObjectStore, loaded: dict[str, str]) -> list[PublishedRun]:
    """Published ingest runs that are not loaded; one that cannot be read is told and left for the next load."""
    found: list[PublishedRun] = []
    for key in published.published_keys(store, "ingest"):
        if key in loaded:
            continue
        try:
            found.append(published.read(store, "ingest", key))
        except RejectedInput as error:
            _log.error("ingest_run_unreadable", key=key, code=error.code)
    return found
