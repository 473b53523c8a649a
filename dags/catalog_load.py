"""
### From row files to the catalogue

Loads every published normalization run that the catalogue (Connection `granary_postgres`) does not hold yet: COPY
into staging tables, checks, merge, and all that is counted and searched by, **in one transaction a run**. Readers see
the old catalogue until the new one is whole.

`load_runs` compares the published runs in the object store with those the catalogue has loaded, and loads what is
missing, the oldest first, however many there are. Where none is missing it adds the rejects of ingests that staged
nothing.

A run whose rows are possible and that is not likely (half of the images gone, planes or facts unlike the collection's
own, nearly all rejected, published in the future) does not pass the **quality gates**: it is refused with
`catalog_gate_failed`, the old data keep serving, and the other runs are loaded. Whoever has looked at it and wants it
triggers this DAG with `quality_gates` off.

Woken by `normalize`, by an ingest of which everything was rejected, or by hand. A run that an earlier `catalog_load`
missed is picked up as well; loading a run twice changes nothing.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, task

from braingranary.orchestration import assets, policies

PARAMS = {
    "quality_gates": Param(
        True,
        type="boolean",
        title="Quality gates",
        description="Refuse a run that is unlike what the catalogue holds. Off for a run that you have looked at.",
    ),
}


@dag(
    dag_display_name="Load the catalogue",
    description="Merge normalized series into the PostgreSQL catalogue",
    schedule=assets.NORMALIZED | assets.REJECTED,
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("catalog"),
    doc_md=__doc__,
)
def catalog_load() -> None:
    @task(
        pool=policies.POOL_CATALOG,
        outlets=[assets.CATALOG],
        execution_timeout=policies.JOB_TIMEOUT,
        doc_md="Loads each missing run in one transaction: all of it becomes visible, or none; skips without any.",
    )
    def load_runs() -> dict[str, int]:
        from braingranary.orchestration.steps import catalog
        from braingranary.orchestration.steps.context import current_run

        return catalog.load_runs(gates=current_run().params["quality_gates"] is not False)

    load_runs()


catalog_load()
