"""`granary model`: the registry of detectors from the shell.

Settings come from the environment (GRANARY_CATALOG_DSN of a writer, GRANARY_S3_*) or else from the demo. Weights
are registered with the hash that was pinned where they were made: beside the library's own in pin.json,
beside a training's in <name>.sha256.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg

from braingranary.catalog import model_registry as models
from braingranary.catalog.model_registry import ModelRecord
from braingranary.cli.state_option import operator_settings, state_option
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.orchestration.model_files import (
    FIGURES,
    read_figures,
    read_pinned,
    register_shipped,
    register_weights,
)
from braingranary.orchestration.model_files import (
    activate as activate_model,
)
from braingranary.settings import load_catalog_settings, load_store_settings
from braingranary.storage.store import ObjectStore


@click.group("model")
def model() -> None:
    """Versions of the tumour detector."""


@model.command("register")
@click.argument("weights", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--figures", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An evaluation.json.")
@state_option
def register(folder: Path, weights: Path | None, figures: Path | None) -> None:
    """Register WEIGHTS, or those that come with the library; active at once only where no model is.

    Beside WEIGHTS their hash is expected (<name>.sha256), and an evaluation.json is taken along.
    """
    store = ObjectStore.from_settings(load_store_settings(operator_settings(folder)))
    with _catalog(folder) as connection:
        if weights is None:
            record = register_shipped(connection, store)
            if record is None:
                raise RejectedInput(Code.MODEL_INVALID, "no weights come with this library: name a file")
        else:
            evaluation = read_figures(figures or weights.with_name(FIGURES))
            record = register_weights(connection, store, *read_pinned(weights), figures=evaluation)
    click.echo(_line(record))


@model.command("activate")
@click.argument("version")
@state_option
def activate(folder: Path, version: str) -> None:
    """Make VERSION the model whose labels searches, named queries and /detect use from now on."""
    store = ObjectStore.from_settings(load_store_settings(operator_settings(folder)))
    with _catalog(folder) as connection:
        click.echo(_line(activate_model(connection, store, version)))


@model.command("list")
@state_option
def list_models(folder: Path) -> None:
    """Every registered version, the newest first."""
    with _catalog(folder) as connection:
        found = models.listed(connection)
    for record in found:
        click.echo(_line(record))
    if not found:
        click.echo("no model is registered")


def _line(record: ModelRecord) -> str:
    registered = "" if record.registered_at is None else f" registered {record.registered_at:%Y-%m-%d %H:%M}Z"
    state = "active" if record.active else "passive"
    thresholds = f"slice {record.tumor_threshold:.3f} series {record.series_threshold:.3f}"
    return f"{record.version:20} {state:8} {record.sha256[:12]} {thresholds}{registered}"


@contextmanager
def _catalog(folder: Path) -> Iterator[psycopg.Connection[Any]]:
    dsn = load_catalog_settings(operator_settings(folder)).dsn.get_secret_value()
    try:
        connection = psycopg.connect(dsn, application_name="granary-model")
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "no connection to the catalogue") from error
    with connection:
        yield connection
