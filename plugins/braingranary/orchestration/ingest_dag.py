"""What all ingest DAGs share: the Params of their forms, and the tasks from the manifest to the published run."""

from __future__ import annotations

from typing import Final

from airflow.sdk import Param, TriggerRule, task

from braingranary.orchestration import assets, policies

LOOK_BACK_DAYS: Final = 3
"""Archives publish late under an earlier date; what is staged already costs a run next to nothing."""

MODALITY: Final = Param(
    ["MR", "SEG"],
    type=["null", "array"],
    items={"type": "string", "pattern": "^[A-Z]{2,16}$"},
    examples=["MR", "SEG", "RTSTRUCT", "CT", "PT"],
    title="Modality",
    description="Only series of these kinds: MR has the images, SEG the tumour masks. Empty: every kind.",
)
COMMON_PARAMS: Final = {
    "released_from": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Released from",
        description="Only series released on this day or later. Empty: the run's own interval, if it has one.",
    ),
    "released_before": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Released before",
        description="Only series released before this day.",
    ),
    "look_back_days": Param(
        LOOK_BACK_DAYS,
        type="integer",
        minimum=0,
        maximum=366,
        title="Days to look back",
        description="A run with an interval also takes what was released in the days before it: archives publish late.",
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
"""The Params of every ingest; an archive's DAG adds its own before them."""


def ingest_tasks(kind: str) -> None:
    """The tasks of the DAG that is being defined, for the archive of that kind in `archives.registry`."""

    @task(doc_md="Asks the archive for the wanted series and writes `runs/ingest/<run>/manifest.json`.")
    def write_manifest() -> list[int]:
        from braingranary.orchestration.steps import ingest  # noqa: PLC0415 - parsing a DAG loads no archive

        return ingest.write_manifest(kind)

    @task(
        pool=policies.POOL_ARCHIVE,
        execution_timeout=policies.TRANSFER_TIMEOUT,
        map_index_template="{{ label }}",
        doc_md="Downloads, verifies and stages one batch of series; resumes after the last finished series.",
    )
    def stage(batch: int) -> dict[str, int]:
        from braingranary.orchestration.steps import ingest  # noqa: PLC0415 - parsing a DAG loads no archive

        return ingest.stage(kind, batch)

    @task(
        outlets=[assets.RAW],
        trigger_rule=TriggerRule.ALL_DONE,  # what arrived is published even where some series could not be had
        doc_md="Publishes what arrived; skipped, and `normalize` not woken, where nothing is new.",
    )
    def publish() -> dict[str, int]:
        from braingranary.orchestration.steps import ingest  # noqa: PLC0415 - parsing a DAG loads no archive

        return ingest.publish()

    @task(
        outlets=[assets.REJECTED],
        trigger_rule=TriggerRule.NONE_FAILED,  # `publish` skips where nothing is new
        doc_md="Wakes `catalog_load` where the run has rejects that no normalization will bring along.",
    )
    def announce_rejects() -> dict[str, int]:
        from braingranary.orchestration.steps import ingest  # noqa: PLC0415 - parsing a DAG loads no archive

        return ingest.announce_rejects()

    @task(
        trigger_rule=TriggerRule.ONE_FAILED,
        doc_md="Fails the run where a batch failed on its last try, since `publish` ends well all the same.",
    )
    def fail_incomplete() -> None:
        from braingranary.orchestration.steps import ingest  # noqa: PLC0415 - parsing a DAG loads no archive

        ingest.fail_incomplete()

    manifest = write_manifest()
    staged = stage.expand(batch=manifest)
    staged >> publish() >> announce_rejects()
    [manifest, staged] >> fail_incomplete()
