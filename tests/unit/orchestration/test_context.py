"""What a step learns of its DAG run: its Params, and an interval only where somebody chose one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context, CronDataIntervalTimetable
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.execution_time.context import set_current_context

from braingranary.orchestration.runs import run_key
from braingranary.orchestration.steps.context import Interval, RunContext, current_run

START, END = datetime(2026, 3, 1, 2, tzinfo=UTC), datetime(2026, 3, 2, 2, tzinfo=UTC)
TIMETABLE = CronDataIntervalTimetable("0 2 * * *", timezone="UTC")


def seen(
    run_type: DagRunType,
    *,
    start: datetime | None = START,
    logical_date: datetime | None = END + timedelta(hours=5),
) -> RunContext:
    dag_run = SimpleNamespace(
        dag_id="d",
        run_id="r",
        run_type=run_type,
        logical_date=logical_date,
        data_interval_start=start,
        data_interval_end=start and END,
    )
    context: dict[str, Any] = {
        "dag_run": dag_run,
        "params": {"limit": 3},
        "dag": SimpleNamespace(timetable=TIMETABLE),
    }
    with set_current_context(cast(Context, context)):
        return current_run()


@pytest.mark.parametrize("run_type", list(DagRunType))
def test_current_run_interval_that_airflow_filled_in_is_none(run_type: DagRunType) -> None:
    chosen = run_type.value in {"scheduled", "backfill"}
    assert seen(run_type).interval == (Interval(start=START, end=END) if chosen else None)


def test_current_run_manual_run_has_the_interval_that_its_trigger_gave() -> None:
    start = START - timedelta(days=9)
    assert seen(DagRunType.MANUAL, start=start).interval == Interval(start=start, end=END)


def test_current_run_manual_interval_of_an_earlier_night_is_a_choice() -> None:
    later = END + timedelta(days=30)
    assert seen(DagRunType.MANUAL, logical_date=later).interval == Interval(start=START, end=END)


def test_current_run_without_interval_has_none() -> None:
    assert seen(DagRunType.SCHEDULED, start=None).interval is None


def test_current_run_names_the_run_and_its_params() -> None:
    here = seen(DagRunType.MANUAL)
    assert (here.run, dict(here.params)) == (run_key("d", "r"), {"limit": 3})
