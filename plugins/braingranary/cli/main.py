"""The command `granary`: start the demo, end it, look at it; keep accounts and models; make volumes.

In: arguments. Out: what the demo tells, and exit status 0; a GranaryError is one line on standard error and status 1,
wrong arguments are status 2.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import click
import structlog
from rich.console import Console

from braingranary.cli.accounts import account, token
from braingranary.cli.errors import told
from braingranary.cli.models import model
from braingranary.cli.volumes import volume
from braingranary.devstack import demo, processes, stack
from braingranary.devstack.source import Choice
from braingranary.devstack.state import State

CHECKOUT: Final = Path(__file__).resolve().parents[3]

_state_option = click.option(
    "--state",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=CHECKOUT / ".state",
    help="Folder for data, logs, ports and passwords.  [default: .state of the checkout]",
)


@click.group(help="BrainGranary on one machine.")
def main() -> None:
    """Group of the commands below; of the library's own log only trouble is shown among what they tell."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


main.add_command(account)
main.add_command(model)
main.add_command(token)
main.add_command(volume)


@main.command("demo")
@_state_option
@click.option("--dicom", type=click.Path(path_type=Path), help="Serve this folder of DICOM instead of the sample.")
@click.option("--archive", default="sample", show_default=True, help="sample or tcia.")
@click.option("--collection", help="Only this collection; needed for tcia.")
@click.option("--limit", type=int, help="At most this many series.")
@told
def demo_command(folder: Path, dicom: Path | None, archive: str, collection: str | None, limit: int | None) -> None:
    """Start the embedded stack, ingest through Airflow and show the result."""
    choice = Choice(dicom=dicom, archive=archive, collection=collection, limit=limit)
    demo.run(checkout=CHECKOUT, state=State(folder), choice=choice, console=Console())


@main.command("stop")
@_state_option
@told
def stop_command(folder: Path) -> None:
    """End every process of the stack."""
    if not folder.is_dir():
        click.echo("nothing was started")
        return
    ended = stack.stop(State(folder))
    click.echo(f"ended: {', '.join(ended)}" if ended else "nothing was running")


@main.command("status")
@_state_option
@told
def status_command(folder: Path) -> None:
    """List the processes of the stack and whether they run."""
    for record in processes.load_records(State(folder).records) if folder.is_dir() else []:
        state = "running" if processes.leader(record) else "ended"
        click.echo(f"{record.name:10} {state:8} pid {record.pid:<8} log {record.log}")


@main.command("clean")
@_state_option
@told
def clean_command(folder: Path) -> None:
    """End every process, then delete all data of the stack."""
    if folder.is_dir():
        stack.remove(State(folder))
