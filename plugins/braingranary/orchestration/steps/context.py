"""The running task: its DAG run's key, Params, kind and interval, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pendulum
from airflow.sdk import CronDataIntervalTimetable, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from braingranary.orchestration.runs import run_key

_INTERVAL_RUNS: Final = frozenset({"scheduled", "backfill"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A data interval, UTC, `start` in it and `end` not."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a step needs to know of its DAG run."""

    run: str
    """Key segment of the run."""
    params: Mapping[str, Any]
    interval: Interval | None
    """The run's data interval where the schedule, a backfill or a person chose it; None where Airflow filled it in."""


def current_run() -> RunContext:
    """The DAG run of the task that is running."""
    context = get_current_context()
    dag_run = context["dag_run"]
    return RunContext(
        run=run_key(dag_run.dag_id, dag_run.run_id),
        params=dict(context["params"]),
        interval=chosen_interval(
            kind=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            start=dag_run.data_interval_start,
            end=dag_run.data_interval_end,
            logical_date=dag_run.logical_date,
            timetable=context["dag"].timetable,
        ),
    )


def chosen_interval(
    *, kind: str, start: datetime | None, end: datetime | None, logical_date: datetime | None, timetable: object
) -> Interval | None:
    """The data interval of a run, unless it is the one that Airflow gives a manual run for which nobody chose any.

    Args:
        kind: the run's type: `scheduled`, `backfill`, `manual` or `asset_triggered`.
        start: begin of the run's data interval.
        end: its end, which is not in it.
        logical_date: the run's logical date; a manual run without interval gets the last one before it.
        timetable: the DAG's.

    """
    if start is None or end is None or start >= end:
        return None
    if kind not in _INTERVAL_RUNS and (kind != "manual" or (start, end) == _filled_in(timetable, logical_date)):
        return None
    return Interval(start=start, end=end)


def _filled_in(timetable: object, logical_date: datetime | None) -> tuple[datetime, datetime] | None:
    """What Airflow takes for the data interval of a manual run at `logical_date` that was given none."""
    if not isinstance(timetable, CronDataIntervalTimetable) or logical_date is None:
        return None
    # The timetable of the SDK cannot tell; the scheduler's own of the same expression does.
    from airflow.timetables.interval import CronDataIntervalTimetable as Scheduled  # noqa: PLC0415

    scheduled = Scheduled(timetable.expression, timezone=timetable.timezone)
    interval = scheduled.infer_manual_data_interval(run_after=pendulum.instance(logical_date))
    return interval.start, interval.end


def label(text: str) -> None:
    """Name the mapped task in the grid and the log, where its `map_index_template` is `{{ label }}`."""
    # Airflow renders the template with the very context that the task ran in, so a key more is how a task speaks to it.
    get_current_context()["label"] = text  # type: ignore[typeddict-unknown-key]


def skip(reason: str) -> AirflowSkipException:
    """The exception with which a task says that there is nothing to do."""
    return AirflowSkipException(reason)
