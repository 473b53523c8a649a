"""Steps of the DAG `tumor_scoring`: plan what a model has not looked at, and load what the Spark job published."""

from __future__ import annotations

from typing import Any

import psycopg
import structlog

from braingranary.catalog import model_registry as models
from braingranary.catalog.load.score_run import ScoreReport, load_scores, pending_score_runs
from braingranary.catalog.model_registry import ModelRecord
from braingranary.detector.contracts.score_run import STEP, ScoreJob, write_run_json
from braingranary.errors import RejectedInput
from braingranary.orchestration.connections import store_settings
from braingranary.orchestration.model_files import register_shipped
from braingranary.orchestration.score_plan import SERIES_MAX, score_job
from braingranary.orchestration.steps.connection import catalog
from braingranary.orchestration.steps.context import current_run, skip
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation, run_json_arguments
from braingranary.storage.store import ObjectStore

_log = structlog.get_logger(__name__)


def plan() -> list[str]:
    """Write the run's `run.json` once and return the argv of its Spark job; skips where nothing waits for the model."""
    here = current_run()
    settings = store_settings()
    store = ObjectStore.from_settings(settings)
    key = keys.run_json(STEP, here.run)
    if not store.exists(key):  # a run that is run again finishes what it was to do at first
        with catalog("granary-score") as connection:
            model = _model(connection, store, here.params.get("model"))
            if model is None:
                raise skip("no model is registered, and none comes with the library")
            job = score_job(
                connection,
                StoreLocation.of(settings),
                here.run,
                model,
                collection=here.params.get("collection") or None,
                limit=int(here.params.get("limit") or SERIES_MAX),
                force=bool(here.params.get("force")),
            )
        if not job.series:
            raise skip(f"every series has a prediction by model {model.version}")
        write_run_json(store, job)
    job = ScoreJob.from_json(store.get(key))
    megabytes = round(sum(one.bytes for one in job.series) / 1e6, 1)
    _log.info("score_planned", run=job.run, model=job.model.version, series=len(job.series), megabytes=megabytes)
    return run_json_arguments(settings, key)


def load() -> dict[str, int]:
    """Load every published score run that the catalogue misses; skips, so that nobody is woken, where none has news.

    A run that is refused does not keep the others out: they are loaded first, then its error is raised.
    """
    store = ObjectStore.from_settings(store_settings())
    reports: list[ScoreReport] = []
    refused: list[RejectedInput] = []
    with catalog("granary-score") as connection:
        for run in pending_score_runs(connection, store):
            try:
                reports.append(load_scores(connection, store, run))
            except RejectedInput as error:
                _log.error("score_run_refused", run=run, code=error.code, detail=error.message)
                refused.append(error)
    if refused:
        raise refused[0]
    told = {
        "series": sum(report.series for report in reports),
        "slices": sum(report.slices for report in reports),
        "rejects": sum(report.rejects for report in reports),
        "series_changed": sum(report.series_changed for report in reports),
    }
    if not told["series_changed"]:
        raise skip(f"no news in {len(reports)} score runs")
    return told


def _model(connection: psycopg.Connection[Any], store: ObjectStore, version: str | None) -> ModelRecord | None:
    """The model of that version, else the active one; the shipped weights are registered on the way."""
    register_shipped(connection, store)
    return models.of_version(connection, version) if version else models.active(connection)
