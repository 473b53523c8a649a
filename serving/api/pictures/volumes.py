"""A whole series in one file: `/api/v1/series/<uid>/sheet.jpg` for eyes, `/volume.nii.gz` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from braingranary.catalog.read import contact_sheets
from braingranary.catalog.read.contact_sheets import PackSlice, SheetPack
from braingranary.catalog.read.lineage import lineage_of_series
from braingranary.errors import Code, GranaryError, RejectedInput
from braingranary.imaging import jpeg
from braingranary.imaging.contact_sheet import contact_sheet, evenly
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from serving.api.pictures.slices import SIDE_PIXELS_MIN
from serving.api.schemas import Parameters, Plane, Problem, SeriesPath
from serving.api.series import TAG
from serving.auth import terms
from serving.auth.policies import Access, Rate, access
from serving.extensions import services
from serving.http import objects
from serving.http.images import checked, packed, picture

SPAN_BYTES_MAX: Final = 16 * 1024 * 1024  # a pack of 50 slices has about 0.5 MB; larger ones are read slice by slice
api = APIBlueprint("volumes", __name__, url_prefix="/api/v1", abp_tags=[TAG])
SHEET_TILES_MAX: Final = 64
TILE_PIXELS_MAX: Final = 256
VOLUME_MAX: Final = 998  # normalization makes at most 999


class SheetParameters(Parameters):
    """What a contact sheet is to show."""

    plane: Plane | None = Field(default=None, description="the acquired plane where none is given")
    volume: Annotated[int, Field(ge=0, le=VOLUME_MAX)] = 0
    tiles: Annotated[int, Field(ge=1, le=SHEET_TILES_MAX)] = Field(
        default=36, description="at most so many slices, evenly chosen"
    )
    size: Annotated[int, Field(ge=SIDE_PIXELS_MIN, le=TILE_PIXELS_MAX)] = Field(
        default=160, description="side of one tile in pixels"
    )


class VolumeParameters(Parameters):
    """Which volume of a series."""

    volume: Annotated[int, Field(ge=0, le=VOLUME_MAX)] = 0


@api.get(
    "/series/<uid>/sheet.jpg",
    summary="A series as contact sheet",
    responses={"200": {"content": {"image/jpeg": {}}}, "403": Problem},
)
@access(Access.PUBLIC)
def series_contact_sheet(path: SeriesPath, query: SheetParameters) -> Response:
    """Evenly chosen slices of one plane side by side, the first at the upper left."""
    with services().catalog() as connection:
        pack = contact_sheets.sheet_pack(connection, path.uid, volume=query.volume, plane=query.plane)
        if pack is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such series, volume or plane")
        restricted = terms.require(connection, series_uid=path.uid)
        chosen = contact_sheets.pack_slices(connection, pack.pack_id, evenly(pack.slice_count, query.tiles))
    return picture(
        f"{pack.sha256[:32]}-sheet-{query.tiles}-{query.size}",
        "image/jpeg",
        lambda: make_contact_sheet(services().store, pack, chosen, tile_pixels=query.size),
        restricted=restricted,
    )


@api.get(
    "/series/<uid>/volume.nii.gz",
    summary="A volume as NIfTI",
    responses={
        "200": {"content": {"application/gzip": {}}},
        "403": Problem,
        "416": Problem,
        "206": {"description": "The part asked for by Range", "content": {"application/gzip": {}}},
    },
)
@access(Access.PUBLIC, rate=Rate.DOWNLOAD)
def volume(path: SeriesPath, query: VolumeParameters) -> Response:
    """Voxels as acquired, axes nearest to RAS+, where such a file was made; 404 `volume_not_made` says how to make it.

    Range, If-Range and If-None-Match are honoured.
    """
    with services().catalog() as connection:
        found = lineage_of_series(connection, path.uid)
        if found is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such series")
        restricted = terms.require(connection, series_uid=path.uid)
    info = services().store.head(keys.nifti(found.profile, path.uid, query.volume))
    if info is None:
        raise RejectedInput(
            Code.VOLUME_NOT_MADE,
            "no NIfTI of this volume was made yet: an operator makes one with `granary volume <series uid>`; "
            "the lineage of the series tells where its DICOM is",
        )
    name = f"{path.uid}-{query.volume:03d}.nii.gz"
    return objects.streamed(info, "application/gzip", name, restricted=restricted)


def make_contact_sheet(store: ObjectStore, pack: SheetPack, slices: Sequence[PackSlice], *, tile_pixels: int) -> bytes:
    """The slices of `pack` in one picture, each in a square of `tile_pixels`."""
    if not slices:
        raise GranaryError(Code.CHECKSUM_MISMATCH, f"{pack.object_key}: the catalogue has none of its slices")
    pictures = np.stack([jpeg.decode(data) for data in _read(store, pack, slices)])
    aspect = pack.pixel_height_mm / pack.pixel_width_mm
    shown = contact_sheet(pictures, tiles_max=len(slices), tile_pixels=tile_pixels, pixel_aspect=aspect)
    return jpeg.encode(shown)


def _read(store: ObjectStore, pack: SheetPack, slices: Sequence[PackSlice]) -> list[bytes]:
    start = min(item.byte_offset for item in slices)
    span = max(item.byte_offset + item.byte_length for item in slices) - start
    if span > SPAN_BYTES_MAX:
        return [packed(store, pack.object_key, item) for item in slices]
    data = store.get_range(pack.object_key, start, span)
    return [checked(data[item.byte_offset - start :][: item.byte_length], item, pack.object_key) for item in slices]
