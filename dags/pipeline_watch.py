"""
### Freshness and rejects

Looks every six hours into the catalogue (Connection `granary_postgres`) and fails, which sends an alert, where

* no ingest was published and loaded for longer than the bound, or
* a larger share than the bound of the series of the last seven days was rejected.

Alerts go to the Connection `granary_alerts`; without it only this run is red.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from braingranary.orchestration import policies

PARAMS = {
    "fresh_hours": Param(
        48,
        type="number",
        minimum=1,
        title="Hours until stale",
        description="So long after the newest ingest the catalogue counts as stale. Nights without news have one, too.",
    ),
    "reject_share": Param(
        0.2,
        type="number",
        minimum=0,
        maximum=1,
        title="Share of rejects",
        description="Of the series of the last seven days, at most this share may be rejected.",
    ),
}


@dag(
    dag_display_name="Watch the pipeline",
    description="Fail, and so alert, where the catalogue is stale or too much is rejected",
    schedule=CronTriggerTimetable("30 */6 * * *", timezone="UTC"),
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("catalog", "watch"),
    doc_md=__doc__,
)
def pipeline_watch() -> None:
    @task(doc_md="Fails where a bound is passed; its log and its alert tell which, with figures.")
    def check_bounds() -> dict[str, float]:
        from braingranary.orchestration.steps import watch

        return watch.check_bounds()

    check_bounds()


pipeline_watch()
