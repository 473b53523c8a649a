"""`granary rejects`: what could not be used, and trying it once more after the reason has been mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from braingranary.archives.registry import ARCHIVE_KINDS
from braingranary.catalog.read.pipeline import RejectedSeries, rejects_to_retry
from braingranary.cli.errors import EXIT_STATUSES
from braingranary.cli.ingest import CHAIN
from braingranary.cli.operations import (
    airflow,
    catalogue,
    follow_chain,
    front_door,
    json_option,
    make_ready,
    new_run_id,
    object_store,
    run_line,
    run_value,
    tell,
    unpause_option,
    wait_option,
)
from braingranary.cli.state_option import state_option
from braingranary.client.airflow import AirflowApi, DagRun
from braingranary.errors import Code, RejectedInput
from braingranary.normalization.again import mark
from braingranary.normalization.profile import DEFAULT_PROFILE

_NORMALIZE: Final = "normalize"


@click.group("rejects", epilog=EXIT_STATUSES)
def rejects() -> None:
    """Series that could not be used."""


@rejects.command("list", epilog=EXIT_STATUSES)
@json_option
@state_option
def list_rejects(folder: Path, as_json: bool) -> None:
    """Rejects by reason, step and collection, the most frequent first."""
    with front_door(folder) as api:
        found = api.rejects()
    lines = [
        f"{one.code:28} {one.step:10} {one.series_count:6} series, {one.lost_count} lost "
        f" {one.archive}/{one.collection}"
        for one in found
    ]
    tell(as_json, {"rejects": [asdict(one) for one in found]}, lines or ["nothing is rejected"])


@rejects.command("retry", epilog=EXIT_STATUSES)
@click.option("--code", help="Only rejects of this reason.")
@click.option("--series", multiple=True, help="Only this SeriesInstanceUID; may be repeated.")
@click.option("--archive", help="Kind of the archive that lost series are fetched from again, such as tcia.")
@wait_option
@unpause_option
@json_option
@state_option
def retry(  # noqa: PLR0917 - one argument an option
    folder: Path,
    code: str | None,
    series: tuple[str, ...],
    archive: str | None,
    wait: bool,
    unpause: bool,
    as_json: bool,
) -> None:
    """Try rejected series once more: fetch them again, or normalize them again where their bytes are staged.

    A series that can be used now is no longer rejected as soon as the catalogue holds it.
    """
    if not code and not series:
        raise click.UsageError("give --code or --series")
    with catalogue(folder) as connection:
        found = rejects_to_retry(connection, code=code, series=series)
    if not found:
        raise RejectedInput(Code.NOT_FOUND, "no such series is rejected")
    staged = {one.object_key for one in found if one.step == _NORMALIZE and one.object_key}
    lost = {one.series_uid for one in found if one.step != _NORMALIZE}
    with airflow(folder) as api:
        triggered: dict[str, dict[str, object]] = {}
        if lost:
            kind = archive or _kind_of(found)
            triggered[f"{kind}_ingest"] = {"series": "\n".join(sorted(lost)), "force": True}
        if staged:
            triggered[_NORMALIZE] = {}
        make_ready(api, *triggered, *(_chain(triggered) if wait else ()), unpause=unpause)
        mark(object_store(folder), DEFAULT_PROFILE.name, sorted(staged))
        runs = [run for dag_id, conf in triggered.items() for run in _trigger(api, dag_id, conf, wait, quiet=as_json)]
        value = {
            "fetched_again": len(lost),
            "normalized_again": len(staged),
            "runs": [run_value(api, run) for run in runs],
        }
    told = f"{len(lost)} series to fetch again, {len(staged)} to normalize again"
    tell(as_json, value, [told, *map(run_line, runs)])


def _trigger(api: AirflowApi, dag_id: str, conf: dict[str, object], wait: bool, *, quiet: bool) -> list[DagRun]:
    run_id = new_run_id()
    api.trigger(dag_id, run_id, conf)
    run = api.run(dag_id, run_id)
    if not wait:
        return [run]
    return follow_chain(api, run, _chain([dag_id]), quiet=quiet)


def _chain(dag_ids: Iterable[str]) -> tuple[str, ...]:
    """The DAGs that these wake, one after the other."""
    return CHAIN[1:] if set(dag_ids) == {_NORMALIZE} else CHAIN


def _kind_of(found: list[RejectedSeries]) -> str:
    """The kind of the archive that the rejects are of: its name, or the only one there is."""
    names = {one.archive for one in found if one.step != _NORMALIZE}
    kinds = names if names <= ARCHIVE_KINDS.keys() else set(ARCHIVE_KINDS)
    if len(kinds) != 1:
        raise click.UsageError(f"the rejects are of {', '.join(sorted(names))}: give --archive")
    return kinds.pop()
