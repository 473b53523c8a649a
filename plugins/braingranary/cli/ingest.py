"""`granary ingest` and `granary backfill`: runs of an archive's ingest DAG, triggered through Airflow's REST API."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from braingranary.cli.errors import EXIT_STATUSES
from braingranary.cli.operations import (
    airflow,
    follow_chain,
    json_option,
    make_ready,
    new_run_id,
    run_line,
    run_value,
    tell,
    unpause_option,
    wait_option,
)
from braingranary.cli.state_option import state_option
from braingranary.client.airflow import AirflowApi, Backfill, DagRun
from braingranary.errors import Code, RejectedInput

CHAIN: Final = ("normalize", "catalog_load")
"""DAGs that an ingest wakes, one after the other."""
DAY: Final = click.DateTime(["%Y-%m-%d"])
_POLL_S: Final = 1.0


@click.command("ingest", epilog=EXIT_STATUSES)
@click.argument("archive")
@click.option("--collection", help="Name of the collection in the archive.")
@click.option("--patient", "patients", multiple=True, help="Only this patient of the collection; may be repeated.")
@click.option("--series", multiple=True, help="Only this SeriesInstanceUID; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many series.")
@click.option("--force", is_flag=True, help="Fetch series again that are staged already.")
@click.option("--from", "first", type=DAY, help="Released on this day or later: begin of the data interval, UTC.")
@click.option("--before", type=DAY, help="Released before this day: end of the data interval, UTC.")
@click.option("--param", "params", multiple=True, metavar="NAME=JSON", help="Any other Param of the DAG.")
@wait_option
@unpause_option
@json_option
@state_option
def ingest(  # noqa: PLR0917 - one argument an option
    folder: Path,
    archive: str,
    collection: str | None,
    patients: tuple[str, ...],
    series: tuple[str, ...],
    limit: int | None,
    force: bool,
    first: datetime | None,
    before: datetime | None,
    params: tuple[str, ...],
    wait: bool,
    unpause: bool,
    as_json: bool,
) -> None:
    """Ingest from ARCHIVE: the kind of an archive, such as tcia, whose DAG is <ARCHIVE>_ingest.

    With --wait the command ends when the series are in the catalogue.
    """
    conf: dict[str, Any] = {
        "collection": collection,
        "patients": list(patients),
        "series": "\n".join(series),
        "limit": limit,
        "force": force,
    }
    conf = {name: value for name, value in conf.items() if value} | dict(map(_param, params))
    interval = _interval(first, before)
    with airflow(folder) as api:
        dag_id = f"{archive}_ingest"
        make_ready(api, dag_id, *(CHAIN if wait else ()), unpause=unpause)
        run_id = new_run_id()
        api.trigger(dag_id, run_id, conf, interval)
        runs = [api.run(dag_id, run_id)]
        if wait:
            runs = follow_chain(api, runs[0], CHAIN, quiet=as_json)
        tell(as_json, {"runs": [run_value(api, run) for run in runs]}, map(run_line, runs))


@click.command("backfill", epilog=EXIT_STATUSES)
@click.argument("archive")
@click.option("--from", "first", type=DAY, required=True, help="First day, UTC.")
@click.option("--to", "last", type=DAY, required=True, help="Last day, UTC.")
@click.option(
    "--reprocess",
    type=click.Choice(["none", "failed", "completed"]),
    default="none",
    show_default=True,
    help="Which runs that are there already are run again.",
)
@click.option("--at-once", type=click.IntRange(1, 16), default=2, show_default=True, help="Runs at once.")
@click.option("--param", "params", multiple=True, metavar="NAME=JSON", help="A Param of the DAG.")
@wait_option
@unpause_option
@json_option
@state_option
def backfill(  # noqa: PLR0917 - one argument an option
    folder: Path,
    archive: str,
    first: datetime,
    last: datetime,
    reprocess: Any,
    at_once: int,
    params: tuple[str, ...],
    wait: bool,
    unpause: bool,
    as_json: bool,
) -> None:
    """Run the nightly ingest of ARCHIVE for every night of some days."""
    # The night's run stands under the begin of its data interval, at any hour of that day.
    wanted = Backfill(
        dag_id=f"{archive}_ingest",
        first=first.replace(tzinfo=UTC),
        last=last.replace(tzinfo=UTC) + timedelta(days=1, seconds=-1),
        reprocess=reprocess,
        max_active_runs=at_once,
        conf=dict(map(_param, params)),
    )
    if wanted.last < wanted.first:
        raise click.UsageError("--to is before --from")
    with airflow(folder) as api:
        make_ready(api, wanted.dag_id, unpause=unpause)
        number = api.backfill(wanted)
        runs = _follow_backfill(api, number, wanted, quiet=as_json) if wait else _runs(api, wanted)
        value = {"backfill": number, "runs": [run_value(api, run) for run in runs]}
        tell(as_json, value, [f"backfill {number}", *map(run_line, runs)])
        failed = [run.run_id for run in runs if run.state == "failed"]
        if wait and failed:
            raise RejectedInput(Code.RUN_FAILED, f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}")


def _follow_backfill(api: AirflowApi, number: int, wanted: Backfill, *, quiet: bool) -> list[DagRun]:
    with click.progressbar(length=1, label="backfill", hidden=quiet, file=sys.stderr) as bar:
        while True:
            completed = api.backfill_completed(number)
            runs = _runs(api, wanted)
            bar.length = max(len(runs), 1)
            bar.update(sum(run.finished for run in runs) - bar.pos)
            if completed:
                return runs
            time.sleep(_POLL_S)


def _runs(api: AirflowApi, wanted: Backfill) -> list[DagRun]:
    return api.backfill_runs(wanted.dag_id, wanted.first, wanted.last)


def _interval(first: datetime | None, before: datetime | None) -> tuple[datetime, datetime] | None:
    if first is None and before is None:
        return None
    if first is None or before is None or before <= first:
        raise click.UsageError("give --from and --before, the earlier one first")
    return first.replace(tzinfo=UTC), before.replace(tzinfo=UTC)


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return name, json.loads(value)
    except ValueError:
        raise click.UsageError(f"--param {text}: give NAME=JSON, text in double quotes") from None
