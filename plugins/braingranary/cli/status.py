"""`granary status`: what runs, how fresh the catalogue is, what is wanted, waits to be loaded or was rejected."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from braingranary.archives.wanted import count_wanted
from braingranary.catalog.load.normalize_run import pending_runs
from braingranary.catalog.load.score_run import pending_score_runs
from braingranary.cli.errors import EXIT_STATUSES
from braingranary.cli.operations import airflow, catalogue, front_door, json_option, object_store, tell
from braingranary.cli.state_option import operator_settings, state_option
from braingranary.devstack import processes
from braingranary.devstack.state import State
from braingranary.errors import ConfigurationError
from braingranary.settings import load_client_settings

_DAGS: Final = ("tcia_ingest", "normalize", "catalog_load", "tumor_scoring", "catalog_audit")


@click.command("status", epilog=EXIT_STATUSES)
@json_option
@state_option
def status(folder: Path, as_json: bool) -> None:
    """The demo's processes, and the pipeline: freshness by step, newest runs, wanted, pending and rejected series."""
    records = processes.load_records(State(folder).records) if folder.is_dir() else []
    running = [{**_process(record), "state": _state(record)} for record in records]
    lines = [f"{one['name']:10} {one['state']:8} pid {one['pid']:<8} log {one['log']}" for one in running]
    up = not records or any(one["state"] == "running" for one in running)
    pipeline = _pipeline(folder) if up and _known(folder) else None
    if pipeline is not None:
        lines += _pipeline_lines(pipeline)
    tell(as_json, {"processes": running, "pipeline": pipeline}, lines or ["nothing was started"])


def _pipeline(folder: Path) -> dict[str, Any]:
    with front_door(folder) as api:
        fresh, rejects = api.freshness(), api.rejects()
    store = object_store(folder)
    with catalogue(folder) as connection:
        pending = {
            "normalize": len(pending_runs(connection, store)),
            "score": len(pending_score_runs(connection, store)),
        }
    with airflow(folder) as api:
        newest = {dag_id: asdict(runs[0]) for dag_id in _DAGS if api.dag_known(dag_id) and (runs := api.runs(dag_id))}
        healthy = api.healthy()
    return {
        "fresh": fresh,
        "wanted": count_wanted(store),
        "pending": pending,
        "rejects": [asdict(one) for one in rejects],
        "airflow": {"healthy": healthy, "newest_runs": newest},
    }


def _pipeline_lines(told: dict[str, Any]) -> list[str]:
    return [
        f"airflow    {'healthy' if told['airflow']['healthy'] else 'unhealthy'}",
        *(f"fresh      {step:10} {at:%Y-%m-%d %H:%M}Z" for step, at in told["fresh"].items() if at),
        *(f"newest run {dag_id:16} {run['state']}" for dag_id, run in told["airflow"]["newest_runs"].items()),
        *(f"wanted     {name:10} {count} series" for name, count in told["wanted"].items()),
        *(f"pending    {step:10} {count} runs" for step, count in told["pending"].items()),
        *(f"rejected   {one['series_count']} series {one['code']} ({one['step']})" for one in told["rejects"]),
    ]


def _known(folder: Path) -> bool:
    """Whether settings say where Airflow and the front door are."""
    try:
        load_client_settings(operator_settings(folder))
    except ConfigurationError:
        return False
    return True


def _process(record: processes.ProcessRecord) -> dict[str, Any]:
    return {"name": record.name, "pid": record.pid, "log": str(record.log)}


def _state(record: processes.ProcessRecord) -> str:
    return "running" if processes.leader(record) else "ended"
