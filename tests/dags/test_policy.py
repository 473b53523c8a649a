"""Every DAG keeps the house's rules, and the stages are chained by assets."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import (
    DAG,
    AssetAll,
    AssetAny,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
)
from airflow.sdk.definitions.timetables.assets import AssetTriggeredTimetable

from braingranary.orchestration import assets, policies
from braingranary.orchestration.pools import POOLS_FILE

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"
FILES = sorted(DAGS_FOLDER.glob("*.py"))
LINES_MAX = 150
PARAM_TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}

each_file = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


@each_file
def test_dag_file_holds_one_dag_of_its_name(path: Path, dags: dict[str, DAG]) -> None:
    found = [dag for dag in dags.values() if Path(dag.fileloc) == path]
    assert [dag.dag_id for dag in found] == [path.stem]
    assert len(path.read_text().splitlines()) <= LINES_MAX


@each_file
def test_dag_is_owned_tagged_and_told(path: Path, dags: dict[str, DAG]) -> None:
    dag = dags[path.stem]
    assert policies.TAG in dag.tags
    assert len(dag.tags) >= 2
    assert dag.doc_md == ast.get_docstring(ast.parse(path.read_text()), clean=False)
    assert dag.description
    assert dag.dag_display_name != dag.dag_id
    for task in dag.tasks:
        assert task.owner == policies.OWNER, task.task_id
        assert task.doc_md, task.task_id


@each_file
def test_dag_runs_are_bounded_and_never_caught_up(path: Path, dags: dict[str, DAG]) -> None:
    dag = dags[path.stem]
    assert not dag.catchup
    assert 1 <= dag.max_active_runs <= 4
    assert dag.start_date is not None
    assert dag.start_date.utcoffset().total_seconds() == 0  # type: ignore[union-attr]


@each_file
def test_tasks_are_tried_again_with_growing_pauses_and_an_end(path: Path, dags: dict[str, DAG]) -> None:
    for task in dags[path.stem].tasks:
        assert task.retries is not None
        assert task.retries >= 2, task.task_id
        assert task.retry_exponential_backoff >= 2, task.task_id
        assert task.max_retry_delay == policies.RETRY_DELAY_MAX, task.task_id
        assert task.retry_policy is policies.RETRY_POLICY, task.task_id
        assert task.execution_timeout is not None, task.task_id


@each_file
def test_pools_that_tasks_name_are_declared(path: Path, dags: dict[str, DAG]) -> None:
    declared = set(json.loads(POOLS_FILE.read_text()))
    assert {task.pool for task in dags[path.stem].tasks} <= declared | {"default_pool"}


@each_file
def test_params_are_typed_titled_and_described(path: Path, dags: dict[str, DAG]) -> None:
    params = dags[path.stem].params
    for name in params:
        param = params.get_param(name)
        types: str | list[str] = param.schema.get("type", [])
        assert {types} <= PARAM_TYPES if isinstance(types, str) else set(types) <= PARAM_TYPES, name
        assert types, name
        assert param.schema.get("title"), name
        assert param.description, name
        param.resolve()  # its own default is valid


def test_tcia_ingest_takes_one_data_interval_a_night(dags: dict[str, DAG]) -> None:
    timetable = dags["tcia_ingest"].timetable
    assert isinstance(timetable, CronDataIntervalTimetable)
    assert timetable.expression == "0 2 * * *"
    assert str(timetable.timezone) == "UTC"


def test_tcia_ingest_form_offers_every_choice(dags: dict[str, DAG]) -> None:
    assert list(dags["tcia_ingest"].params) == [
        "collection",
        "patients",
        "series",
        "modality",
        "released_from",
        "released_before",
        "look_back_days",
        "limit",
        "force",
    ]
    assert dags["tcia_ingest"].params["look_back_days"] == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", "3"),
        ("collection", 7),
        ("patients", "A"),
        ("force", "yes"),
        ("look_back_days", -1),
        ("released_from", 7),
        ("modality", "MR"),
        ("modality", ["../x"]),
    ],
)
def test_tcia_ingest_form_refuses_wrong_types(name: str, value: Any, dags: dict[str, DAG]) -> None:
    with pytest.raises(Exception, match=r"Invalid|valid"):
        dags["tcia_ingest"].params.get_param(name).__copy__().resolve(value)


def test_normalize_profile_refuses_unknown_values(dags: dict[str, DAG]) -> None:
    profile = dags["normalize"].params.get_param("profile").__copy__()
    assert profile.resolve({"jpeg_quality": 80}) == {"jpeg_quality": 80}
    with pytest.raises(Exception, match="Additional properties"):
        profile.resolve({"colour": 1})


def test_assets_chain_the_stages(dags: dict[str, DAG]) -> None:
    assert _schedule(dags["normalize"]) == {assets.RAW}
    assert _schedule(dags["catalog_load"], AssetAny) == {assets.NORMALIZED, assets.REJECTED}
    assert _outlets(dags["tcia_ingest"]) == {assets.RAW, assets.REJECTED}
    assert _outlets(dags["normalize"]) == {assets.NORMALIZED}
    assert _outlets(dags["catalog_load"]) == {assets.CATALOG}
    assert _outlets(dags["tumor_scoring"]) == {assets.SCORES}


def test_scoring_is_woken_by_the_catalogue_and_every_night(dags: dict[str, DAG]) -> None:
    timetable = dags["tumor_scoring"].timetable
    assert isinstance(timetable, AssetOrTimeSchedule)
    assert timetable.asset_condition == assets.CATALOG
    assert isinstance(timetable.timetable, CronTriggerTimetable)
    assert timetable.timetable.expression == "0 5 * * *"
    load = dags["tumor_scoring"].get_task("load")
    assert load.trigger_rule == "none_failed"  # a plan that finds nothing must not keep a published run out


def test_training_is_by_hand_alone_and_its_form_offers_every_choice(dags: dict[str, DAG]) -> None:
    dag = dags["detector_training"]
    assert not dag.timetable.can_be_scheduled
    offered = ["data", "version", "work", "longer", "folds", "new_site", "threads", "force", "activate"]
    assert list(dag.params) == offered
    for name, value in (("version", "../x"), ("version", "a b"), ("longer", 0), ("force", "yes"), ("data", 7)):
        with pytest.raises(Exception, match=r"Invalid|valid"):
            dag.params.get_param(name).__copy__().resolve(value)


def test_download_tasks_are_mapped_over_batches_in_the_archive_pool(dags: dict[str, DAG]) -> None:
    stage = dags["tcia_ingest"].get_task("stage")
    assert stage.is_mapped
    assert stage.pool == policies.POOL_ARCHIVE
    assert stage.upstream_task_ids == {"write_manifest"}
    assert stage.downstream_task_ids == {"publish", "fail_incomplete"}


def test_ingest_publishes_what_arrived_and_fails_where_series_could_not_be_had(dags: dict[str, DAG]) -> None:
    tasks = dags["tcia_ingest"].task_dict
    assert tasks["publish"].trigger_rule == "all_done"
    assert tasks["fail_incomplete"].trigger_rule == "one_failed"
    assert tasks["fail_incomplete"].upstream_task_ids == {"write_manifest", "stage"}
    assert not tasks["fail_incomplete"].downstream_task_ids  # a leaf: its failure is the run's


def _schedule(dag: DAG, condition: type[AssetAll | AssetAny] = AssetAll) -> set[Any]:
    assert isinstance(dag.timetable, AssetTriggeredTimetable)
    assert isinstance(dag.timetable.asset_condition, condition)
    return set(dag.timetable.asset_condition.objects)


def _outlets(dag: DAG) -> set[Any]:
    return {outlet for task in dag.tasks for outlet in (task.outlets or [])}
