"""Loading a published score run: COPY into staging, check, merge; one transaction, as the catalogue's load.

Predictions of series whose packs have changed since they were scored, or that a run published as late or later has
scored, are left out, so the end state does not depend on the order of loads and the same run twice changes nothing.
Goes in: a connection that is in no transaction, the object store, the name of the run. Comes out: what was carried and
what was news. Fails with RejectedInput (OBJECT_MISSING, MANIFEST_INVALID, CATALOG_CHECK_FAILED; MODEL_INVALID where no
registered model has these weights) or TransientFailure; whatever it raises, nothing was changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import structlog

from braingranary.catalog.load import published
from braingranary.catalog.load.published import PublishedRun
from braingranary.catalog.load.staging import Columns, batches, copy_binary, copy_csv, stage_rejects
from braingranary.catalog.load.transaction import (
    Connection,
    leave_idle,
    load_transaction,
    mapped,
    raise_catalogue_state,
    run_checks,
    run_merge,
)
from braingranary.catalog.model_registry import ModelRecord, listed
from braingranary.catalog.schema.row_keys import run_id
from braingranary.catalog.sql import statement
from braingranary.errors import Code, RejectedInput
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

STEP: Final = "score"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """What one load did: rows the run carried, and series that were news."""

    run: str
    model_version: str
    already_loaded: bool
    series: int = 0
    slices: int = 0
    rejects: int = 0
    series_changed: int = 0


def load_scores(connection: Connection, store: ObjectStore, run: str) -> ScoreReport:
    """Load the published score run `run`."""
    wanted = published.read(store, STEP, keys.published(STEP, run))
    model = _model_of(connection, wanted)
    with load_transaction(connection):
        if _loaded(connection).get(wanted.key) == wanted.sha256:
            report = ScoreReport(run=run, model_version=model.version, already_loaded=True)
        else:
            report = _load(connection, store, wanted, model)
    _log.info("scores_loaded", **asdict(report))
    return report


def loaded_score_keys(connection: Connection) -> frozenset[str]:
    """Object keys of the score runs that are loaded."""
    with mapped():
        loaded = _loaded(connection)
        leave_idle(connection)
    return frozenset(loaded)


def pending_score_runs(connection: Connection, store: ObjectStore) -> list[str]:
    """Names of the published score runs that are not loaded, the oldest first."""
    with mapped():
        loaded = _loaded(connection)
        leave_idle(connection)
    waiting = [key for key in published.published_keys(store, STEP) if key not in loaded]
    runs = [published.read(store, STEP, key) for key in waiting]
    return [item.run for item in sorted(runs, key=lambda item: (item.published_at, item.run))]


def _load(connection: Connection, store: ObjectStore, wanted: PublishedRun, model: ModelRecord) -> ScoreReport:
    moment = {"model_id": model.model_id, "published_at": wanted.published_at}
    connection.execute(statement("scores/load/00_stage"))
    series = copy_csv(connection, "stage_series_score", _series(store, wanted, model))
    slices = copy_binary(connection, "stage_slice_score", _slices(store, wanted, model))
    rejects = stage_rejects(connection, store, wanted)
    connection.execute(statement("scores/load/10_current"))
    run_checks(connection, "checks/scores")
    row = connection.execute(statement("scores/load/11_count_current")).fetchone()
    written = run_merge(connection, "scores/load/20_merge")
    written += run_merge(connection, "scores/load/30_forget_rejects")
    written += run_merge(connection, "scores/load/35_merge_rejects", moment)
    if written:
        raise_catalogue_state(connection)
    counts = {"series_count": series, "slice_count": slices, "reject_count": rejects}
    values = {
        **moment,
        **counts,
        "run_id": run_id(STEP, wanted.run),
        "run": wanted.run,
        "published_key": wanted.key,
        "published_sha256": wanted.sha256,
    }
    connection.execute(statement("scores/load/40_record_run"), values)
    return ScoreReport(
        run=wanted.run,
        model_version=model.version,
        already_loaded=False,
        series=series,
        slices=slices,
        rejects=rejects,
        series_changed=int(row[0]) if row else 0,
    )


def _series(store: ObjectStore, run: PublishedRun, model: ModelRecord) -> Iterator[Columns]:
    for _, batch in batches(store, run, "series"):
        yield batch.with_columns(
            model_id=batch.repeated(model.model_id), published_at=batch.repeated(run.published_at.isoformat())
        )


def _slices(store: ObjectStore, run: PublishedRun, model: ModelRecord) -> Iterator[Columns]:
    for _, batch in batches(store, run, "slices"):
        yield batch.with_columns(model_id=batch.repeated(model.model_id))


def _model_of(connection: Connection, wanted: PublishedRun) -> ModelRecord:
    for record in listed(connection):
        if record.sha256 == wanted.model_sha256:
            return record
    raise RejectedInput(Code.MODEL_INVALID, f"run {wanted.run}: no registered model has the weights it was made with")


def _loaded(connection: Connection) -> dict[str, str]:
    """SHA-256 of what was loaded, by object key."""
    return dict(connection.execute(statement("queries/loaded_score_runs")).fetchall())
