"""Step of the DAG `catalog_load`: loading every published run that the catalogue misses."""

from __future__ import annotations

from collections import Counter

import structlog

from braingranary.catalog.load import normalize_run as load
from braingranary.errors import RejectedInput
from braingranary.orchestration.connections import store_settings
from braingranary.orchestration.steps.connection import catalog
from braingranary.orchestration.steps.context import skip
from braingranary.storage.store import ObjectStore

_log = structlog.get_logger(__name__)


def load_runs(*, gates: bool = True) -> dict[str, int]:
    """Load every published run that the catalogue does not hold, the oldest first, each in one transaction.

    A run that does not pass the quality gates is refused, unless `gates` is false.

    Returns counts over all of them; skips where there are none, after it has added the rejects of ingest runs that
    staged nothing. A task that is killed has loaded some, and the next try goes on. A run that is refused does not keep
    the others out: they are loaded first, then its RejectedInput is raised.
    """
    store = ObjectStore.from_settings(store_settings())
    counts: Counter[str] = Counter()
    refused: list[RejectedInput] = []
    with catalog() as connection:
        runs = load.pending_runs(connection, store)
        if not runs:
            ingests = load.load_ingests(connection, store)
            raise skip(f"every normalized run is loaded; rejects of {len(ingests)} ingest runs were added")
        for number, run in enumerate(runs, 1):
            try:
                report = load.load_run(connection, store, run, gates=gates)
            except RejectedInput as error:
                _log.error("run_refused", run=run, code=error.code, detail=error.message)
                refused.append(error)
                continue
            _log.info("run_loaded", run=run, number=f"{number} of {len(runs)}", series=report.series)
            counts.update(_counts(report))
    if refused:
        raise refused[0]
    return {"runs": len(runs), **counts}


def _counts(report: load.LoadReport) -> dict[str, int]:
    return {
        "series": report.series,
        "packs": report.packs,
        "slices": report.slices,
        "labels": report.labels,
        "rejects": report.rejects,
        "series_changed": report.series_changed,
        "slices_changed": report.slices_changed,
    }
