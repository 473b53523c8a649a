"""`/api/v1/series/<uid>/lineage` and `/sidecar`: where a series came from and how its slices were made.

Hashes, versions and what the archive publishes: no header value and no place in our store.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Final

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.read.lineage import PackFile, SeriesLineage, lineage_of_series, pack_files
from braingranary.errors import Code, RejectedInput
from braingranary.normalization import sidecar as sidecars
from braingranary.normalization.raw import parse_raw_key, read_receipt
from braingranary.records import Receipt
from braingranary.storage.store import ObjectStore
from serving.api.schemas import Answer, NoParameters, SeriesPath
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import answer

# What is not kept is told as unknown; any other trouble with it is ours.
_UNTOLD: Final = frozenset((Code.OBJECT_MISSING, Code.KEY_INVALID))
TAG = Tag(name="lineage", description="Where data came from and how it was made.")
api = APIBlueprint("lineage", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class Source(Answer):
    """Where a series came from, and on what terms."""

    archive: str
    collection: str
    source_url: str | None = Field(description="where the archive shows it")
    license_name: str | None
    license_url: str | None
    citation_url: str | None


class RawFile(Answer):
    """The bytes as received; null where no receipt tells."""

    sha256: str
    zip_bytes: int | None = None
    image_count: int | None = None
    image_bytes: int | None = None
    md5_verified: int | None = Field(default=None, description="images that matched the MD5 which the archive sent")
    content_sha256: str | None = Field(default=None, description="of the images alone, however they were zipped")
    staged_at: datetime | None = None


class Making(Answer):
    """How the slices were made."""

    profile: str
    profile_values: dict[str, float | int] | None = Field(description="null where no sidecar tells")
    libraries: dict[str, str] | None = Field(description="versions of those that decide the bytes")
    transfer_syntax: str | None = Field(description="DICOM encoding that the series arrived in; null for NIfTI")


class Loading(Answer):
    """Which run brought it."""

    run: str | None
    published_at: datetime


class Lineage(BaseModel):
    """From the archive to the slices: what anyone needs to check or repeat it."""

    series_uid: str
    study_uid: str
    source: Source
    raw: RawFile
    normalization: Making
    catalogue: Loading
    packs: list[PackFile]
    sidecar_url: str


class Sidecar(Answer):
    """How one series was normalized: enough to undo the window and to place every pixel in the patient."""

    schema_version: int
    series_uid: str
    study_uid: str
    archive: str
    collection: str
    raw_sha256: str
    transfer_syntax: str | None
    profile: str
    profile_values: dict[str, float | int]
    libraries: dict[str, str]
    volumes: list[sidecars.SidecarVolume]


@api.get("/series/<uid>/lineage", summary="Lineage of a series", responses={"200": Lineage})
@access(Access.PUBLIC)
def series_lineage(path: SeriesPath, query: NoParameters) -> Response:  # noqa: ARG001 - so that others are refused
    """Source, hashes, receipt, profile, library versions and run."""
    found, packs = _found(path.uid)
    store = services().store
    receipt, sidecar = _receipt(store, found.raw_key), _sidecar(store, found.sidecar_key)
    facts = asdict(found)
    told = Lineage(
        series_uid=found.series_uid,
        study_uid=found.study_uid,
        source=Source.model_validate(facts),
        raw=RawFile.model_validate({**({} if receipt is None else asdict(receipt)), "sha256": found.raw_sha256}),
        normalization=Making.model_validate(
            {
                **facts,
                "profile_values": None if sidecar is None else sidecar.profile_values,
                "libraries": None if sidecar is None else sidecar.libraries,
            }
        ),
        catalogue=Loading.model_validate(facts),
        packs=packs,
        sidecar_url=url_for("lineage.series_sidecar", uid=found.series_uid),
    )
    return answer(told)


@api.get("/series/<uid>/sidecar", summary="Sidecar of a series", responses={"200": Sidecar})
@access(Access.PUBLIC)
def series_sidecar(path: SeriesPath, query: NoParameters) -> Response:  # noqa: ARG001 - so that others are refused
    """Grid, window and packs of every volume, to undo the window and to place every pixel in the patient."""
    found, _ = _found(path.uid)
    sidecar = _sidecar(services().store, found.sidecar_key)
    if sidecar is None:
        raise RejectedInput(Code.NOT_FOUND, "no sidecar of this series is kept")
    return answer(Sidecar.of(sidecar, schema_version=sidecar.schema))


def _found(uid: str) -> tuple[SeriesLineage, list[PackFile]]:
    with services().catalog() as connection:
        found = lineage_of_series(connection, uid)
        packs = pack_files(connection, uid)
    if found is None:
        raise RejectedInput(Code.NOT_FOUND, "there is no such series")
    return found, packs


def _receipt(store: ObjectStore, raw_key: str) -> Receipt | None:
    try:
        return read_receipt(store, parse_raw_key(raw_key))
    except RejectedInput as error:
        if error.code not in _UNTOLD:
            raise
        return None


def _sidecar(store: ObjectStore, key: str) -> sidecars.Sidecar | None:
    try:
        return sidecars.Sidecar.from_json(store.get(key))
    except RejectedInput as error:
        if error.code not in _UNTOLD:
            raise
        return None
