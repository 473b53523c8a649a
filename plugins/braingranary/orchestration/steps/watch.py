"""Step of the DAG `pipeline_watch`: whether the catalogue is fresh and the share of rejects is what it should be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from airflow.sdk.exceptions import AirflowFailException

from braingranary.catalog.read.pipeline import newest_runs, reject_share
from braingranary.orchestration.steps.connection import catalog
from braingranary.orchestration.steps.context import current_run, skip

WATCHED_FOR: Final = timedelta(days=7)
"""Rejects are counted over the runs of the last week: single runs may be small."""

_log = structlog.get_logger(__name__)


def check_bounds() -> dict[str, float]:
    """Fail where no ingest was loaded for too long, or too large a share of series was rejected.

    Only an ingest is published every night; `normalize` and `score` have nothing to publish on nights without news.

    Returns the figures; skips where nothing was ever loaded.
    """
    params, now = current_run().params, datetime.now(UTC)
    with catalog("granary-watch") as connection:
        newest = newest_runs(connection)
        share = reject_share(connection, since=now - WATCHED_FOR)
    if not newest:
        raise skip("nothing was loaded yet")
    ages_h = {step: (now - at).total_seconds() / 3600 for step, at in newest.items()}
    _log.info(
        "pipeline_watched", reject_share=share, **{f"{step}_age_h": round(age, 1) for step, age in ages_h.items()}
    )
    beyond = []
    if (age_h := ages_h.get("ingest", 0.0)) > float(params["fresh_hours"]):
        beyond.append(f"freshness_beyond_bound: the newest ingest is of {age_h:.0f} hours ago")
    if share is not None and share > float(params["reject_share"]):
        beyond.append(f"reject_share_beyond_bound: {share:.0%} of the series of {WATCHED_FOR.days} days were rejected")
    if beyond:
        raise AirflowFailException("; ".join(beyond))
    return {**ages_h, **({} if share is None else {"reject_share": share})}
