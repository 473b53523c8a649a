"""`granary audit`, `granary restore` and `granary migrate`: the catalogue compared, rebuilt and brought up to date."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from braingranary.catalog.load.restore import restore as restore_runs
from braingranary.catalog.schema.migrate import migrate as migrate_schema
from braingranary.cli.errors import EXIT_STATUSES
from braingranary.cli.operations import (
    airflow,
    catalogue,
    follow,
    json_option,
    make_ready,
    new_run_id,
    object_store,
    run_line,
    run_value,
    tell,
    unpause_option,
)
from braingranary.cli.state_option import operator_settings, state_option
from braingranary.orchestration.model_files import register_stored
from braingranary.settings import load_catalog_settings

AUDIT_DAG: Final = "catalog_audit"


@click.command("audit", epilog=EXIT_STATUSES)
@click.option("--share", type=click.FloatRange(0, 1), help="Part of all packs and raw objects that is hashed.")
@click.option("--repair", is_flag=True, help="Mark series whose packs are gone or damaged to be normalized again.")
@click.option("--remove-orphans", is_flag=True, help="Remove normalized objects that no row names.")
@click.option("--grace-days", type=click.IntRange(1, 3650), help="Orphans younger than this are kept.")
@click.option("--no-wait", is_flag=True, help="Only start it.")
@unpause_option
@json_option
@state_option
def audit(  # noqa: PLR0917 - one argument an option
    folder: Path,
    share: float | None,
    repair: bool,
    remove_orphans: bool,
    grace_days: int | None,
    no_wait: bool,
    unpause: bool,
    as_json: bool,
) -> None:
    """Compare the catalogue with the object store; findings that are left are an error."""
    asked = {"share": share, "repair": repair, "remove_orphans": remove_orphans, "grace_days": grace_days}
    conf: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    with airflow(folder) as api:
        make_ready(api, AUDIT_DAG, unpause=unpause)
        run_id = new_run_id()
        api.trigger(AUDIT_DAG, run_id, conf)
        run = api.run(AUDIT_DAG, run_id)
        if not no_wait:
            run = follow(api, run, quiet=as_json)
        found = api.returned(run, "compare") or {}
        value = {"run": run_value(api, run), "found": found}
        tell(as_json, value, [run_line(run), *(f"{name:24} {count}" for name, count in found.items())])


@click.command("migrate", epilog=EXIT_STATUSES)
@state_option
def migrate(folder: Path) -> None:
    """Bring the catalogue's schema up to date, as the role that owns it; may be repeated at any time."""
    migrate_schema(load_catalog_settings(operator_settings(folder)).dsn.get_secret_value())


@click.command("restore", epilog=EXIT_STATUSES)
@json_option
@state_option
def restore(folder: Path, as_json: bool) -> None:
    """Rebuild the catalogue's tables from the object store alone: schema, models, then every published run.

    What is loaded already is left alone, so a restore that was interrupted goes on. Pause the DAGs meanwhile. Accounts
    and terms come from a backup of PostgreSQL, see docs/runbooks/restore.md.
    """
    store = object_store(folder)
    migrate_schema(load_catalog_settings(operator_settings(folder)).dsn.get_secret_value())
    stderr = sys.stderr
    with catalogue(folder) as connection, click.progressbar(length=1, label="runs", hidden=as_json, file=stderr) as bar:
        models = register_stored(connection, store)

        def show(done: int, total: int, _key: str) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        restored = restore_runs(connection, store, show)
    value = {"models": models, **asdict(restored)}
    tell(as_json, value, [f"{name:10} {count}" for name, count in value.items()])
