"""
### Catalogue against object store

Looks every Sunday, or by hand, whether the object store (Connection `granary_s3`) holds what the catalogue (Connection
`granary_postgres`) names, and the other way round: packs, sidecars, raw objects with their receipts, published runs and
weights. Of a share of the objects every byte is read and hashed, of other ones each time.

1. `compare` writes `runs/audit/<run>/report.json`: each finding with a code. It changes nothing.
2. `repair` does what the form allows. A series whose packs are gone or damaged is marked, and `normalize` makes them
   again, to the byte; orphans, which no row names, are removed when they are older than the grace time.
3. `fail_on_findings` fails the run where something is missing or damaged and was not marked.

A raw object that is lost or damaged is only told: ingest its series again with `force`.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, Param, TriggerRule, dag, task

from braingranary.orchestration import assets, policies

PARAMS = {
    "share": Param(
        0.01,
        type="number",
        minimum=0,
        maximum=1,
        title="Share that is hashed",
        description="Of all packs and raw objects, the part whose bytes are read. 0: none, 1: all.",
    ),
    "repair": Param(
        False,
        type="boolean",
        title="Repair",
        description="Mark series whose packs or sidecar are gone or damaged, so that they are normalized again.",
    ),
    "remove_orphans": Param(
        False,
        type="boolean",
        title="Remove orphans",
        description="Remove normalized objects that no row names and that are older than the grace time.",
    ),
    "grace_days": Param(
        7,
        type="integer",
        minimum=1,
        maximum=3650,
        title="Grace time in days",
        description="Younger objects may belong to a run that is not loaded yet; they are never removed.",
    ),
}


@dag(
    dag_display_name="Audit the catalogue",
    description="Compare the catalogue with the object store both ways, and mend what can be mended",
    schedule=CronTriggerTimetable("0 12 * * 0", timezone="UTC"),
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("catalog", "audit"),
    doc_md=__doc__,
)
def catalog_audit() -> None:
    @task(
        execution_timeout=policies.JOB_TIMEOUT,
        doc_md="Compares both ways, hashes a sample, writes the report; changes nothing.",
    )
    def compare() -> dict[str, int]:
        from braingranary.orchestration.steps import audit

        return audit.compare_both()

    @task(
        outlets=[assets.RAW],
        execution_timeout=policies.JOB_TIMEOUT,
        doc_md="Marks series and removes orphans as the form says, and wakes `normalize`; skips without a mark.",
    )
    def repair() -> dict[str, int]:
        from braingranary.orchestration.steps import audit

        return audit.repair()

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Fails the run where something is missing or damaged and was not marked to be mended.",
    )
    def fail_on_findings() -> None:
        from braingranary.orchestration.steps import audit

        audit.fail_on_findings()

    compared = compare()
    mended = repair()
    compared >> mended >> fail_on_findings()


catalog_audit()
