"""
### What the TCIA archive lists against what is staged

Asks the archive (Connection `granary_tcia`) every Saturday, or by hand, for the whole list of each collection that the
Connection's extra `collections` names, and compares it with the object store (Connection `granary_s3`).

1. `compare` makes wanted what is listed and not staged; the `tcia_ingest` of the next night takes it. What is known
   and not listed any more is marked under `withdrawn/`: as missing, and as withdrawn once a listing at least a day
   later lacks it, too. What is listed again loses its mark. The result stands at `runs/reconcile/<run>/report.json`.
2. `fetch_revised` downloads what is listed with other images than were staged. The first version stays the one that is
   shown; the other lies in quarantine, its conflict is a reject that wakes `catalog_load`.
3. `fail_on_refused` fails the run, which sends an alert, where a listing was empty or lacked more than 5 % of what is
   known of a collection: nothing was marked then. Look at the archive, and run again with "Accept withdrawals".
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from braingranary.orchestration import assets, policies
from braingranary.orchestration.ingest_dag import MODALITY

PARAMS = {
    "collection": Param(
        None,
        type=["null", "string"],
        title="Collection",
        description="Name of one collection in the archive. Empty: all that the Connection lists.",
        maxLength=200,
    ),
    "modality": MODALITY,
    "accept_withdrawals": Param(
        False,
        type="boolean",
        title="Accept withdrawals",
        description="Believe the listing although much is missing in it: you have looked at the archive.",
    ),
}


@dag(
    dag_display_name="Reconcile with TCIA",
    description="Find what was missed, withdrawn or revised at a TCIA archive",
    schedule=CronTriggerTimetable("0 8 * * 6", timezone="UTC"),
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("ingest"),
    doc_md=__doc__,
)
def tcia_reconcile() -> None:
    @task(
        execution_timeout=policies.TRANSFER_TIMEOUT,
        doc_md="Compares each collection and notes the differences; counts are its result.",
    )
    def compare() -> dict[str, int]:
        from braingranary.orchestration.steps import reconcile

        return reconcile.compare("tcia")

    @task(
        pool=policies.POOL_ARCHIVE,
        outlets=[assets.REJECTED],
        execution_timeout=policies.TRANSFER_TIMEOUT,
        doc_md="Downloads what was revised and tells the conflicts; skips where there is nothing new.",
    )
    def fetch_revised() -> dict[str, int]:
        from braingranary.orchestration.steps import reconcile

        return reconcile.fetch_revised("tcia")

    @task(doc_md="Fails the run where a listing was empty or lacked more than 5 % of its collection.")
    def fail_on_refused() -> None:
        from braingranary.orchestration.steps import reconcile

        reconcile.fail_on_refused()

    compare() >> [fetch_revised(), fail_on_refused()]


tcia_reconcile()
