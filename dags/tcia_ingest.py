"""
### From The Cancer Imaging Archive to `raw/`

Takes series from a TCIA archive (Connection `granary_tcia`) and stages them **unchanged and verified** in the object
store (Connection `granary_s3`): number of images, size and every MD5 must agree before anything becomes visible.

* **Every night** at 02:00 UTC, and in every run of a backfill: what was released in the run's own data interval, of the
  collections that the Connection's extra `collections` lists.
* **Triggered by hand**: what the form says, be it a collection, some patients, a list of series or a `.tcia` file.

1. `write_manifest` asks the archive which series are wanted and writes that down once.
2. `stage` downloads one batch of them a mapped task, at most as many at once as pool `granary_archive` allows.
3. `publish` lists what arrived and what was rejected, and wakes `normalize` if anything is new.
4. `tell_rejects` wakes `catalog_load` itself where there are rejects and nothing to normalize.

A series that cannot be used is quarantined with a reason and never stops the others. Clearing a task, or running a run
again, continues where it ended and changes nothing that is already there.
"""

from __future__ import annotations

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from braingranary.orchestration import assets, policies

PARAMS = {
    "collection": Param(
        None,
        type=["null", "string"],
        title="Collection",
        description="Name of the collection in the archive, for example UPENN-GBM. Needed unless series are listed.",
        maxLength=200,
    ),
    "patients": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Patients",
        description="Only these patient IDs of the collection, one a line. Empty: all of them.",
    ),
    "series": Param(
        None,
        type=["null", "string"],
        format="multiline",
        title="Series or .tcia file",
        description="SeriesInstanceUIDs, one a line, or the whole text of a .tcia manifest. Empty: no restriction.",
        maxLength=700_000,
    ),
    "modality": Param(
        ["MR", "SEG"],
        type=["null", "array"],
        items={"type": "string", "pattern": "^[A-Z]{2,16}$"},
        examples=["MR", "SEG", "RTSTRUCT", "CT", "PT"],
        title="Modality",
        description="Only series of these kinds: MR has the images, SEG the tumour masks. Empty: every kind.",
    ),
    "limit": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Limit",
        description="At most this many series, the first by SeriesInstanceUID. Empty: no limit.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Fetch again",
        description="Download series even if they are staged. Equal content changes nothing; other content is told.",
    ),
}


@dag(
    dag_display_name="Ingest from TCIA",
    description="Stage series of a TCIA archive in raw/, verified whole",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=policies.START,
    catchup=False,
    max_active_runs=4,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("ingest"),
    doc_md=__doc__,
)
def tcia_ingest() -> None:
    @task(doc_md="Asks the archive for the wanted series and writes `runs/ingest/<run>/manifest.json` once.")
    def write_manifest() -> list[int]:
        from braingranary.orchestration.steps import ingest

        return ingest.write_manifest()

    @task(
        pool=policies.POOL_ARCHIVE,
        execution_timeout=policies.TRANSFER_TIMEOUT,
        map_index_template="{{ label }}",
        doc_md="Downloads, verifies and stages one batch of series; resumes after the last finished series.",
    )
    def stage(batch: int) -> dict[str, int]:
        from braingranary.orchestration.steps import ingest

        return ingest.stage(batch)

    @task(
        outlets=[assets.RAW],
        doc_md="Publishes what arrived; skipped, and `normalize` not woken, where nothing is new.",
    )
    def publish() -> dict[str, int]:
        from braingranary.orchestration.steps import ingest

        return ingest.publish()

    @task(
        outlets=[assets.REJECTED],
        trigger_rule="none_failed",  # `publish` skips where nothing is new
        doc_md="Wakes `catalog_load` where the run has rejects that no normalization will bring along.",
    )
    def tell_rejects() -> dict[str, int]:
        from braingranary.orchestration.steps import ingest

        return ingest.tell_rejects()

    stage.expand(batch=write_manifest()) >> publish() >> tell_rejects()


tcia_ingest()
