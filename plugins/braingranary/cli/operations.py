"""What the operators' commands share: where Airflow and the front door are, following a run, JSON and connections."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from braingranary.cli.state_option import operator_settings
from braingranary.client.airflow import AirflowApi, DagRun, TaskInstance
from braingranary.client.front_door import FrontDoorApi
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.settings import load_catalog_settings, load_client_settings, load_store_settings
from braingranary.storage.store import ObjectStore

PATIENCE_S: Final = 20.0
"""How long a command waits for an Airflow that does not answer."""
POLL_S: Final = 1.0
WAKE_TIMEOUT_S: Final = 60.0
_DONE: Final = frozenset({"success", "skipped", "failed", "upstream_failed", "removed"})

json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for scripts.")
wait_option = click.option("--wait", is_flag=True, help="Wait for the end; a run that fails is an error.")
unpause_option = click.option("--unpause", is_flag=True, help="Unpause the DAG first where it is paused.")


def airflow(folder: Path) -> AirflowApi:
    """Airflow's API by the settings of the environment or of the demo in `folder`."""
    settings = load_client_settings(operator_settings(folder))
    return AirflowApi(
        base_url=settings.airflow_url,
        user=settings.airflow_user,
        password=settings.airflow_password.get_secret_value(),
        patience_s=PATIENCE_S,
    )


def front_door(folder: Path) -> FrontDoorApi:
    """The front door's API by the same settings."""
    return FrontDoorApi(load_client_settings(operator_settings(folder)).front_door_url)


def object_store(folder: Path) -> ObjectStore:
    """The object store by the same settings."""
    return ObjectStore.from_settings(load_store_settings(operator_settings(folder)))


@contextmanager
def catalogue(folder: Path) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the catalogue by the same settings; raises TransientFailure(CATALOG_UNAVAILABLE)."""
    dsn = load_catalog_settings(operator_settings(folder)).dsn.get_secret_value()
    try:
        connection = psycopg.connect(dsn, application_name="granary-cli", autocommit=True)
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "no connection to the catalogue") from error
    with connection:
        yield connection


def tell(as_json: bool, value: Mapping[str, Any], lines: Iterator[str] | list[str]) -> None:
    """Print `value` as JSON, or `lines` for people."""
    if as_json:
        click.echo(json.dumps(value, indent=1, default=_plain))
    else:
        for line in lines:
            click.echo(line)


def new_run_id() -> str:
    """A run id that says where the run comes from; two commands never share one."""
    return f"cli__{datetime.now(UTC).isoformat()}"


def make_ready(api: AirflowApi, *dag_ids: str, unpause: bool) -> None:
    """See to it that runs of these DAGs would start; raises RejectedInput (NOT_FOUND, or REQUEST_INVALID: paused)."""
    paused = [dag_id for dag_id in dag_ids if api.paused(dag_id)]
    if paused and not unpause:
        message = f"DAG {paused[0]} is paused: give --unpause, or unpause it in Airflow"
        raise RejectedInput(Code.REQUEST_INVALID, message)
    for dag_id in paused:
        api.unpause(dag_id)


def follow(api: AirflowApi, run: DagRun, *, quiet: bool) -> DagRun:
    """Wait for the end of a run with a bar of its tasks.

    Raises:
        RejectedInput: the run failed (RUN_FAILED).

    """
    with click.progressbar(length=1, label=run.dag_id, hidden=quiet, file=sys.stderr) as bar:
        while not (run := api.run(run.dag_id, run.run_id)).finished:
            _show(bar, api.tasks(run))
            time.sleep(POLL_S)
        _show(bar, api.tasks(run))
    if run.state == "failed":
        failed = sorted({task.task_id for task in api.tasks(run) if task.state == "failed"})
        raise RejectedInput(Code.RUN_FAILED, f"{run.dag_id} {run.run_id}: tasks {', '.join(failed) or 'none'} failed")
    return run


def follow_chain(api: AirflowApi, run: DagRun, dag_ids: tuple[str, ...], *, quiet: bool) -> list[DagRun]:
    """Wait for a run and, one after the other, for the runs of `dag_ids` that it and they wake by their assets."""
    ended = [follow(api, run, quiet=quiet)]
    last = ended
    for dag_id in dag_ids:
        last = [follow(api, woken, quiet=quiet) for source in last for woken in _woken(api, source, dag_id)]
        ended += last
    return ended


def run_value(api: AirflowApi, run: DagRun) -> dict[str, Any]:
    """A run with the states of its tasks, for JSON."""
    states: dict[str, Counter[str]] = {}
    for task in api.tasks(run):
        states.setdefault(task.task_id, Counter())[task.state or "none"] += 1
    return {**asdict(run), "tasks": {name: dict(found) for name, found in states.items()}}


def run_line(run: DagRun) -> str:
    """A run in one line."""
    return f"{run.dag_id:16} {run.state:8} {run.run_id}"


def _woken(api: AirflowApi, run: DagRun, dag_id: str) -> list[DagRun]:
    """The runs of `dag_id` that this one woke; a run that sent no event has woken none."""
    deadline = time.monotonic() + WAKE_TIMEOUT_S
    while (woken := api.awakened(run, dag_id)) == [] and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return woken or []


def _show(bar: Any, tasks: list[TaskInstance]) -> None:
    done = sum(task.state in _DONE for task in tasks)
    bar.length = max(len(tasks), 1)
    bar.update(done - bar.pos)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
