"""What a step learns of its DAG run: an interval by schedule and backfill only, and whether it is the last try."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.execution_time.context import set_current_context

from braingranary.orchestration.runs import run_key
from braingranary.orchestration.steps.context import Interval, RunContext, current_run

START, END = datetime(2026, 3, 1, 2, tzinfo=UTC), datetime(2026, 3, 2, 2, tzinfo=UTC)


def seen(
    run_type: DagRunType, *, start: datetime | None = START, try_number: int = 1, max_tries: int = 4
) -> RunContext:
    dag_run = SimpleNamespace(
        dag_id="d", run_id="r", run_type=run_type, data_interval_start=start, data_interval_end=start and END
    )
    context: dict[str, Any] = {
        "dag_run": dag_run,
        "params": {"limit": 3},
        "ti": SimpleNamespace(try_number=try_number, max_tries=max_tries),
    }
    with set_current_context(cast(Context, context)):
        return current_run()


@pytest.mark.parametrize("run_type", list(DagRunType))
def test_current_run_only_timed_runs_have_an_interval(run_type: DagRunType) -> None:
    timed = run_type.value in {"scheduled", "backfill"}
    assert seen(run_type).interval == (Interval(start=START, end=END) if timed else None)


def test_current_run_without_interval_has_none() -> None:
    assert seen(DagRunType.SCHEDULED, start=None).interval is None


def test_current_run_names_the_run_and_its_params() -> None:
    here = seen(DagRunType.MANUAL)
    assert (here.run, dict(here.params)) == (run_key("d", "r"), {"limit": 3})


@pytest.mark.parametrize(("try_number", "last"), [(1, False), (4, False), (5, True)])
def test_current_run_knows_its_last_try(try_number: int, last: bool) -> None:
    assert seen(DagRunType.MANUAL, try_number=try_number).last_try is last
