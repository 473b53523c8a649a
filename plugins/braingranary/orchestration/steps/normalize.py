"""Steps of the DAG `normalize`: plan what is missing, and tell what the Spark job published."""

from __future__ import annotations

from dataclasses import asdict

import structlog

from braingranary.normalization.job import NormalizeJob, run_json_key, write_run_json
from braingranary.normalization.plan import pending
from braingranary.normalization.profile import DEFAULT_PROFILE, Profile
from braingranary.normalization.publish import read_published
from braingranary.orchestration.connections import store_settings
from braingranary.orchestration.steps.context import current_run, skip
from braingranary.storage.location import StoreLocation, run_json_arguments
from braingranary.storage.store import ObjectStore

_log = structlog.get_logger(__name__)


def plan() -> list[str]:
    """Write the run's `run.json` once and return the argv of its Spark job; skips where nothing is pending."""
    here = current_run()
    settings = store_settings()
    store = ObjectStore.from_settings(settings)
    key = run_json_key(here.run)
    if not store.exists(key):  # a run that is run again finishes what it was to do at first
        profile = Profile(**{**asdict(DEFAULT_PROFILE), **(here.params.get("profile") or {})})
        series = pending(store, profile, force=bool(here.params.get("force")))
        if not series:
            raise skip(f"every staged series is normalized under profile {profile.name}")
        place = StoreLocation.of(settings)
        write_run_json(store, NormalizeJob(run=here.run, store=place, series=series, profile=profile))
    job = NormalizeJob.from_json(store.get(key))
    _log.info(
        "normalize_planned",
        run=here.run,
        profile=job.profile.name,
        series=len(job.series),
        megabytes=round(sum(series.zip_bytes for series in job.series) / 1e6, 1),
    )
    return run_json_arguments(settings, key)


def publish() -> dict[str, int]:
    """Tell what the run published, as rows by table; skips, so that nobody is woken, where it made no rows at all."""
    here = current_run()
    published = read_published(ObjectStore.from_settings(store_settings()), here.run)
    rows = published.rows
    _log.info("normalize_done", run=here.run, parts=len(published.parts), **rows)
    if not any(rows.values()):
        raise skip("the run made no rows")
    return rows
