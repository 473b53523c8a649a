"""`granary volume`: make the NIfTI files of one series, which the front door serves from then on.

Settings come from the environment (GRANARY_CATALOG_DSN of a reader, GRANARY_S3_* of a writer) or else from the demo.
"""

from __future__ import annotations

from pathlib import Path

import click
import psycopg

from braingranary.catalog.read.lineage import lineage_of_series
from braingranary.cli.state_option import operator_settings, state_option
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.normalization.volumes import write_volumes
from braingranary.settings import load_catalog_settings, load_store_settings
from braingranary.storage.store import ObjectStore


@click.command("volume")
@click.argument("series_uid")
@state_option
def volume(folder: Path, series_uid: str) -> None:
    """Write the voxels of the series SERIES_UID as .nii.gz, one file a volume."""
    env_file = operator_settings(folder)
    dsn = load_catalog_settings(env_file).dsn.get_secret_value()
    try:
        with psycopg.connect(dsn) as connection:
            found = lineage_of_series(connection, series_uid)
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "no connection to the catalogue") from error
    if found is None:
        raise RejectedInput(Code.NOT_FOUND, "there is no such series in the catalogue")
    store = ObjectStore.from_settings(load_store_settings(env_file))
    for key in write_volumes(store, found.raw_key, found.profile):
        click.echo(key)
