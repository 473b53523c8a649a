"""Steps of the DAG `catalog_load`: which published runs the catalogue misses, and loading one of them."""

from __future__ import annotations

import structlog

from braingranary.catalog.load import normalize_run as load
from braingranary.orchestration.connections import store_settings
from braingranary.orchestration.steps.connection import catalog
from braingranary.orchestration.steps.context import label, skip
from braingranary.storage.store import ObjectStore

_log = structlog.get_logger(__name__)


def pending_runs() -> list[str]:
    """Names of the published runs to load, the oldest first; skips where there are none.

    Rejects of ingest runs that staged nothing are loaded here, because no normalize run will bring them along.
    """
    store = ObjectStore.from_settings(store_settings())
    with catalog() as connection:
        runs = load.pending_runs(connection, store)
        if not runs:
            ingests = load.load_ingests(connection, store)
            raise skip(f"every normalized run is loaded; rejects of {len(ingests)} ingest runs were added")
    _log.info("catalog_pending", runs=len(runs))
    return runs


def load_run(run: str) -> dict[str, int]:
    """Load one run in one transaction; returns its counts."""
    label(run)
    store = ObjectStore.from_settings(store_settings())
    with catalog() as connection:
        report = load.load_run(connection, store, run)
    return {
        "series": report.series,
        "packs": report.packs,
        "slices": report.slices,
        "labels": report.labels,
        "rejects": report.rejects,
        "series_changed": report.series_changed,
        "slices_changed": report.slices_changed,
    }
