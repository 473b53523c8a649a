"""TCIA for the registry: its settings from the Connection `granary_tcia`, its query from the form of `tcia_ingest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from braingranary.archives.addresses import AddressPolicy
from braingranary.archives.base import ArchiveKind, IngestParams, Query, ReleaseInterval, checked_params
from braingranary.archives.connection import ArchiveConnection
from braingranary.archives.tcia.client import TciaArchive, TciaSettings
from braingranary.archives.tcia.manifest import parse_series_list
from braingranary.errors import Code, ConfigurationError


class TciaParams(IngestParams):
    """The form of `tcia_ingest`."""

    collection: str | None = None
    patients: tuple[str, ...] | None = None
    series: str | None = None
    """SeriesInstanceUIDs, or the text of a `.tcia` file."""
    modality: tuple[str, ...] | None = None


def open_archive(connection: ArchiveConnection) -> TciaArchive:
    """A client of the archive that the Connection names."""
    return TciaArchive(
        TciaSettings(
            base_url=connection.base_url,
            name=connection.archive_name,
            connections=connection.connections,
            policy=_address_policy(connection),
        )
    )


def query_of_run(
    params: Mapping[str, Any], interval: ReleaseInterval | None, connection: ArchiveConnection
) -> Query | None:
    """The query of one DAG run; None where a run with an interval has no collection to look at.

    Runs with an interval take what was released in it, of the collection of the form or, by default, of those that the
    Connection lists. Others take what the form says, whenever it was released; they must name something, because the
    whole archive is never what was meant. Raises ConfigurationError, RejectedInput(MANIFEST_INVALID, UID_INVALID).
    """
    form = checked_params(TciaParams, params)
    dated = interval is not None or form.released_from is not None or form.released_before is not None
    if not (form.collection or form.series or dated):
        raise ConfigurationError(
            Code.CONFIGURATION_INVALID, "give a collection, a list of series or dates of release in the form"
        )
    collections = (form.collection,) if form.collection else connection.collections if dated else ()
    if not collections and not form.series:
        return None
    released_from, released_before = form.released(interval)
    return Query(
        collections=collections,
        patients=tuple(filter(None, form.patients or ())),
        modalities=form.modality or (),
        series_uids=parse_series_list(form.series, _address_policy(connection)) if form.series else (),
        released_from=released_from,
        released_before=released_before,
        limit=form.limit,
    )


def _address_policy(connection: ArchiveConnection) -> AddressPolicy:
    """Public addresses, and a private one where the operator typed it, or said so, in the Connection."""
    return AddressPolicy.trusting(connection.base_url) if connection.is_private else AddressPolicy()


TCIA: Final = ArchiveKind(kind="tcia", open=open_archive, query=query_of_run)
