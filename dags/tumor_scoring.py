"""
### From slice packs to tumour predictions

Lets the active model of the registry look at every human series that it has no word on, and loads what it says into the
catalogue (Connection `granary_postgres`): raw probabilities a slice and a series, by model version. Thresholds stand
with the model, never with a row. Research only: this is not a medical device.

1. `plan` registers the weights that come with the library, asks the catalogue what the model has not looked at, and
   writes it down.
2. `score_series` runs the Spark job `spark_jobs/score_series.py`, which reads packs and writes row files; it never
   talks to the database and refuses weights that are not the pinned ones.
3. `load` merges every published run that is not loaded yet, each in one transaction, and wakes whoever follows scores.

Woken by new rows of the catalogue, every night, or by hand. Where nothing waits for the model, the run skips. A pack
that does not have its hash is a reject, and its series is tried again the next time.
"""

from __future__ import annotations

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, TriggerRule, dag, task

from braingranary.orchestration import assets, policies
from braingranary.orchestration.engines.spark import spark_job

PARAMS = {
    "model": Param(
        None,
        type=["null", "string"],
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        title="Model",
        description="Version of a registered model. Empty: the active one.",
    ),
    "collection": Param(
        None,
        type=["null", "string"],
        maxLength=200,
        title="Collection",
        description="Only series of this collection. Empty: all.",
    ),
    "limit": Param(
        20_000,
        type="integer",
        minimum=1,
        maximum=100_000,
        title="Series at most",
        description="The rest is taken by the next run.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Score again",
        description="Take every series, not only those without a prediction by this model.",
    ),
}


@dag(
    dag_display_name="Score for tumour",
    description="Let the tumour detector look at new series with Spark, and load what it says",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 5 * * *", timezone="UTC"), assets=assets.CATALOG),
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("detector", "spark"),
    doc_md=__doc__,
)
def tumor_scoring() -> None:
    @task(
        pool=policies.POOL_CATALOG,
        doc_md="Finds what the model has not looked at; writes `runs/score/<run>/run.json` once.",
    )
    def plan() -> list[str]:
        from braingranary.orchestration.steps import score as steps

        return steps.plan()

    @task(
        pool=policies.POOL_CATALOG,
        outlets=[assets.SCORES],
        # Also after a plan that found nothing: a run that was killed before its load is picked up.
        trigger_rule=TriggerRule.NONE_FAILED,
        doc_md="Loads every published run that the catalogue misses, each in one transaction; skips without news.",
    )
    def load() -> dict[str, int]:
        from braingranary.orchestration.steps import score as steps

        return steps.load()

    spark_job("score_series", plan()) >> load()


tumor_scoring()
