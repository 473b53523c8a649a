"""`/api/v1/series/<uid>/lineage` and `/sidecar`: where a series came from and how its slices were made.

Hashes, versions and what the archive publishes: no header value and no place in our store.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from braingranary.catalog.read import lineage as catalogue
from braingranary.errors import Code, RejectedInput
from braingranary.normalization.raw import parse_raw_key, read_receipt
from braingranary.normalization.sidecar import Sidecar
from braingranary.records import Receipt
from braingranary.storage.store import ObjectStore
from serving.api import schemas_lineage
from serving.api.schemas import NoParameters, SeriesPath
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import answer

# What is not kept is told as unknown; any other trouble with it is ours.
_UNTOLD: Final = frozenset((Code.OBJECT_MISSING, Code.KEY_INVALID))
TAG = Tag(name="lineage", description="Where data came from and how it was made.")
api = APIBlueprint("lineage", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get("/series/<uid>/lineage", summary="Lineage of a series", responses={"200": schemas_lineage.Lineage})
@access(Access.PUBLIC)
def series_lineage(path: SeriesPath, query: NoParameters) -> Response:  # noqa: ARG001 - so that others are refused
    """Source, hashes, receipt, profile, library versions and run."""
    found, packs = _found(path.uid)
    store = services().store
    receipt, sidecar = _receipt(store, found.raw_key), _sidecar(store, found.sidecar_key)
    facts = asdict(found)
    told = schemas_lineage.Lineage(
        series_uid=found.series_uid,
        study_uid=found.study_uid,
        source=schemas_lineage.Source.model_validate(facts),
        raw=schemas_lineage.RawFile.model_validate(
            {**({} if receipt is None else asdict(receipt)), "sha256": found.raw_sha256}
        ),
        normalization=schemas_lineage.Making.model_validate(
            {
                **facts,
                "profile_values": None if sidecar is None else sidecar.profile_values,
                "libraries": None if sidecar is None else sidecar.libraries,
            }
        ),
        catalogue=schemas_lineage.Loading.model_validate(facts),
        packs=[schemas_lineage.PackFile.model_validate(asdict(pack)) for pack in packs],
        sidecar_url=url_for("lineage.series_sidecar", uid=found.series_uid),
    )
    return answer(told)


@api.get("/series/<uid>/sidecar", summary="Sidecar of a series", responses={"200": schemas_lineage.Sidecar})
@access(Access.PUBLIC)
def series_sidecar(path: SeriesPath, query: NoParameters) -> Response:  # noqa: ARG001 - so that others are refused
    """Grid, window and packs of every volume, to undo the window and to place every pixel in the patient."""
    found, _ = _found(path.uid)
    sidecar = _sidecar(services().store, found.sidecar_key)
    if sidecar is None:
        raise RejectedInput(Code.NOT_FOUND, "no sidecar of this series is kept")
    return answer(schemas_lineage.sidecar_answer(asdict(sidecar)))


def _found(uid: str) -> tuple[catalogue.SeriesLineage, list[catalogue.PackFile]]:
    with services().catalog() as connection:
        found = catalogue.lineage_of_series(connection, uid)
        packs = catalogue.pack_files(connection, uid)
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


def _sidecar(store: ObjectStore, key: str) -> Sidecar | None:
    try:
        return Sidecar.from_json(store.get(key))
    except RejectedInput as error:
        if error.code not in _UNTOLD:
            raise
        return None
