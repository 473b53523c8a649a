"""The command `granary`: run the demo and the pipeline, keep accounts and models.

`granary -h` lists the commands, `granary <command> -h` explains one. Exit statuses are told in `cli.errors`.
"""

from __future__ import annotations

import logging
from typing import Final

import click
import structlog

from braingranary.cli.errors import EXIT_STATUSES
from braingranary.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS: Final = (
    LazyCommand(
        name="account",
        module="braingranary.cli.accounts",
        attribute="account",
        summary="Create, change and disable accounts; print keys and invitations.",
        extra="serving",
    ),
    LazyCommand(
        name="token",
        module="braingranary.cli.accounts",
        attribute="token",
        summary="Make an access token for a program.",
        extra="serving",
    ),
    LazyCommand(
        name="model",
        module="braingranary.cli.models",
        attribute="model",
        summary="Register, activate and list versions of the tumour detector.",
        extra="detector",
    ),
    LazyCommand(
        name="volume",
        module="braingranary.cli.volumes",
        attribute="volume",
        summary="Write the NIfTI files of one series.",
    ),
    LazyCommand(
        name="demo",
        module="braingranary.cli.demo",
        attribute="demo",
        summary="Start everything on this machine, ingest, and show the result.",
        extra="demo",
    ),
    LazyCommand(
        name="stop",
        module="braingranary.cli.demo",
        attribute="stop",
        summary="End every process of the demo.",
        extra="demo",
    ),
    LazyCommand(
        name="status",
        module="braingranary.cli.status",
        attribute="status",
        summary="Show processes, freshness, wanted, pending and rejected series.",
        extra="airflow",
    ),
    LazyCommand(
        name="ingest",
        module="braingranary.cli.ingest",
        attribute="ingest",
        summary="Ingest from an archive now.",
    ),
    LazyCommand(
        name="backfill",
        module="braingranary.cli.ingest",
        attribute="backfill",
        summary="Run the nightly ingest for every night of some days.",
    ),
    LazyCommand(
        name="wanted",
        module="braingranary.cli.wanted",
        attribute="wanted",
        summary="List or dismiss series that are announced and not staged.",
    ),
    LazyCommand(
        name="rejects",
        module="braingranary.cli.rejects",
        attribute="rejects",
        summary="List rejected series, or try them once more.",
    ),
    LazyCommand(
        name="audit",
        module="braingranary.cli.upkeep",
        attribute="audit",
        summary="Compare the catalogue with the object store.",
        extra="airflow",
    ),
    LazyCommand(
        name="migrate",
        module="braingranary.cli.upkeep",
        attribute="migrate",
        summary="Bring the catalogue's schema up to date.",
        extra="airflow",
    ),
    LazyCommand(
        name="restore",
        module="braingranary.cli.upkeep",
        attribute="restore",
        summary="Rebuild the catalogue's tables from the object store.",
        extra="airflow",
    ),
    LazyCommand(
        name="clean",
        module="braingranary.cli.demo",
        attribute="clean",
        summary="End every process of the demo and delete its data.",
        extra="demo",
    ),
)


@click.group(
    cls=LazyGroup,
    commands_on_use=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_STATUSES,
    help="BrainGranary: brain MRI from archives to a searchable, tumour-scored catalogue.",
)
@click.version_option(package_name="braingranary", prog_name="granary")
def main() -> None:
    """Set up logging for every command: only warnings and errors of the library are shown."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
