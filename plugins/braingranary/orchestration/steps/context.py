"""The running task: its DAG run's key, Params, kind and interval, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from airflow.sdk import get_current_context
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
    """The run's data interval where the schedule or a backfill made it; a manual run has none."""
    last_try: bool
    """Whether the task will not be tried again when it fails."""


def current_run() -> RunContext:
    """The DAG run of the task that is running."""
    context = get_current_context()
    dag_run = context["dag_run"]
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    instance = context["ti"]
    timed = kind in _INTERVAL_RUNS and start is not None and end is not None
    return RunContext(
        run=run_key(dag_run.dag_id, dag_run.run_id),
        params=dict(context["params"]),
        interval=Interval(start=start, end=end) if timed and start and end else None,
        last_try=instance.try_number > (instance.max_tries or 0),
    )


def label(text: str) -> None:
    """Name the mapped task in the grid and the log, where its `map_index_template` is `{{ label }}`."""
    # Airflow renders the template with the very context that the task ran in, so a key more is how a task speaks to it.
    get_current_context()["label"] = text  # type: ignore[typeddict-unknown-key]


def skip(reason: str) -> AirflowSkipException:
    """The exception with which a task says that there is nothing to do."""
    return AirflowSkipException(reason)
