"""
### From The Cancer Imaging Archive to `raw/`

Takes series from a TCIA archive (Connection `granary_tcia`) and stages them **unchanged and verified** in the object
store (Connection `granary_s3`): number of images, size and every MD5 must agree before anything becomes visible.

* **Every night** at 02:00 UTC, and in every run of a backfill: what was released in the run's own data interval and in
  the days before it that the form says, of the collections that the Connection's extra `collections` lists.
* **Triggered by hand**: what the form says, be it a collection, some patients, a list of series, a `.tcia` file or
  dates of release; a data interval that is given with the trigger is taken like a night's.

1. `write_manifest` asks the archive which series are wanted, adds those that earlier runs could not get, and writes
   that down. Clearing it asks the archive again.
2. `stage` downloads one batch of them a mapped task, at most as many at once as pool `granary_archive` allows.
3. `publish` lists what arrived and what was rejected, and wakes `normalize` if anything is new.
4. `announce_rejects` wakes `catalog_load` itself where there are rejects and nothing to normalize.
5. `fail_incomplete` fails the run where series could not be had; they stay wanted, and every later run tries them
   again.

A series that cannot be used is quarantined with a reason and never stops the others. Clearing a task, or running a run
again, continues where it ended and changes nothing that is already there.
"""

from __future__ import annotations

from airflow.sdk import CronDataIntervalTimetable, Param, dag

from braingranary.orchestration import policies
from braingranary.orchestration.ingest_dag import COMMON_PARAMS, MODALITY, ingest_tasks

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
    "modality": MODALITY,
    **COMMON_PARAMS,
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
    ingest_tasks("tcia")


tcia_ingest()
