"""A whole series in one file: `/api/v1/series/<uid>/sheet.jpg` for eyes, `/volume.nii.gz` for programs."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from braingranary.catalog.read import contact_sheets as sheets
from braingranary.catalog.read.lineage import lineage_of_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging.contact_sheet import evenly
from braingranary.storage import keys
from serving.api import contact_sheets
from serving.api.schemas import Problem, SeriesPath
from serving.api.schemas_pictures import SheetParameters, VolumeParameters
from serving.api.series import TAG
from serving.auth import terms
from serving.auth.policies import Access, Rate, access
from serving.extensions import services
from serving.http import objects
from serving.http.images import picture

api = APIBlueprint("volumes", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get(
    "/series/<uid>/sheet.jpg",
    summary="A series as contact sheet",
    responses={"200": {"content": {"image/jpeg": {}}}, "403": Problem},
)
@access(Access.PUBLIC)
def contact_sheet(path: SeriesPath, query: SheetParameters) -> Response:
    """Evenly chosen slices of one plane side by side, the first at the upper left."""
    with services().catalog() as connection:
        pack = sheets.sheet_pack(connection, path.uid, volume=query.volume, plane=query.plane)
        if pack is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such series, volume or plane")
        restricted = terms.require(connection, series_uid=path.uid)
        chosen = sheets.pack_slices(connection, pack.pack_id, evenly(pack.slice_count, query.tiles))
    return picture(
        f"{pack.sha256[:32]}-sheet-{query.tiles}-{query.size}",
        "image/jpeg",
        lambda: contact_sheets.sheet(services().store, pack, chosen, tile_pixels=query.size),
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
