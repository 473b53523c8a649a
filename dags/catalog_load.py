"""
### From row files to the catalogue

Loads every published normalization run that the catalogue (Connection `granary_postgres`) does not hold yet: COPY
into staging tables, checks, merge, and all that is counted and searched by, **in one transaction a run**. Readers see
the old catalogue until the new one is whole.

1. `pending_runs` compares the published runs in the object store with those the catalogue has loaded. Where none is
   missing it adds the rejects of ingests that staged nothing.
2. `load_run` loads one of them a mapped task.

Woken by `normalize`, by an ingest of which everything was rejected, or by hand. A run that an earlier `catalog_load`
missed is picked up as well; loading a run twice changes nothing.
"""

from __future__ import annotations

from airflow.sdk import dag, task

from braingranary.orchestration import assets, policies


@dag(
    dag_display_name="Load the catalogue",
    description="Merge normalized series into the PostgreSQL catalogue",
    schedule=assets.NORMALIZED | assets.REJECTED,
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    tags=policies.tags("catalog"),
    doc_md=__doc__,
)
def catalog_load() -> None:
    @task(doc_md="Lists the published runs that the catalogue does not hold; skips where there are none.")
    def pending_runs() -> list[str]:
        from braingranary.orchestration.steps import catalog

        return catalog.pending_runs()

    @task(
        pool=policies.POOL_CATALOG,
        outlets=[assets.CATALOG],
        map_index_template="{{ label }}",
        doc_md="Loads one run in one transaction: all of it becomes visible, or none.",
    )
    def load_run(run: str) -> dict[str, int]:
        from braingranary.orchestration.steps import catalog

        return catalog.load_run(run)

    load_run.expand(run=pending_runs())


catalog_load()
