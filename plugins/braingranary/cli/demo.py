"""`granary demo`, `stop` and `clean`: the whole system on one machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from braingranary.cli.state_option import CHECKOUT, state_option
from braingranary.devstack import demo as demo_stack
from braingranary.devstack import stack
from braingranary.devstack.source import Choice
from braingranary.devstack.state import State
from braingranary.errors import Code, ConfigurationError


@click.command("demo")
@state_option
@click.option("--dicom", type=click.Path(path_type=Path), help="Serve this folder of DICOM instead of the sample.")
@click.option("--archive", default="sample", show_default=True, help="sample or tcia.")
@click.option("--collection", help="Only this collection; needed for tcia.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many series.")
def demo(folder: Path, dicom: Path | None, archive: str, collection: str | None, limit: int | None) -> None:
    """Start the embedded stack, ingest through Airflow and show the result."""
    if not (CHECKOUT / "dags").is_dir():
        raise ConfigurationError(
            Code.CONFIGURATION_INVALID, "the demo runs from a checkout: its DAGs are not installed"
        )
    choice = Choice(dicom=dicom, archive=archive, collection=collection, limit=limit)
    demo_stack.run(checkout=CHECKOUT, state=State(folder), choice=choice, console=Console())


@click.command("stop")
@state_option
def stop(folder: Path) -> None:
    """End every process of the demo."""
    if not folder.is_dir():
        click.echo("nothing was started")
        return
    ended = stack.stop(State(folder))
    click.echo(f"ended: {', '.join(ended)}" if ended else "nothing was running")


@click.command("clean")
@state_option
@click.option("--yes", is_flag=True, help="Delete without asking.")
def clean(folder: Path, *, yes: bool) -> None:
    """End every process of the demo, then delete all its data: database, objects, logs, passwords."""
    if not folder.is_dir():
        click.echo("nothing to delete")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{folder} is deleted only with --yes where nobody can be asked")
        click.confirm(f"Delete {folder} with the demo's database, objects and logs?", abort=True)
    stack.remove(State(folder))
