"""
### From `raw/` to slice packs

Brings every staged series into the one convention: planes from geometry, radiological orientation, one intensity window
a volume, JPEG slices in a **slice pack** (an ordinary zip) with a `sidecar.json` beside it, and the rows for the
catalogue. The Spark job `spark_jobs/normalize_series.py` does the work, on the Spark of Connection `granary_spark`.

1. `plan` compares `raw/` with what is normalized and writes down what is missing.
2. `normalize_series` runs the Spark job; its progress is in this task's log.
3. `publish` tells what the job published by one conditional write, and wakes `catalog_load`.

Woken by new raw series, or by hand. What is pending is read from the object store, so a lost event loses nothing; where
nothing is pending the run skips. What cannot be normalized goes to `quarantine/` with a reason.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, task

from braingranary.orchestration import assets, policies
from braingranary.orchestration.engines.spark import spark_job

PARAMS = {
    "force": Param(
        False,
        type="boolean",
        title="Normalize again",
        description="Take every staged series, not only those without packs. Equal input gives equal bytes.",
    ),
    "profile": Param(
        {},
        type="object",
        title="Profile",
        description="Values that differ from the standard profile v1. Results stand under another name then.",
        additionalProperties=False,
        properties={
            "low_percentile": {"type": "number", "minimum": 0, "maximum": 50},
            "high_percentile": {"type": "number", "minimum": 50, "maximum": 100},
            "jpeg_quality": {"type": "integer", "minimum": 50, "maximum": 100},
            "isotropy_limit": {"type": "number", "minimum": 1, "maximum": 10},
            "reformat_slices": {"type": "integer", "minimum": 0, "maximum": 512},
        },
    ),
}


@dag(
    dag_display_name="Normalize series",
    description="Turn staged series into slice packs with Spark",
    schedule=[assets.RAW],
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("normalize", "spark"),
    doc_md=__doc__,
)
def normalize() -> None:
    @task(doc_md="Finds what is staged and not yet normalized; writes `runs/normalize/<run>/run.json` once.")
    def plan() -> list[str]:
        from braingranary.orchestration.steps import normalize as steps

        return steps.plan()

    @task(
        outlets=[assets.NORMALIZED],
        doc_md="Tells how many rows the run published, and wakes `catalog_load`.",
    )
    def publish() -> dict[str, int]:
        from braingranary.orchestration.steps import normalize as steps

        return steps.publish()

    spark_job("normalize_series", plan()) >> publish()


normalize()
