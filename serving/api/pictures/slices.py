"""`/api/v1/slices/<id>`: one slice by one range GET out of its pack, as it lies there or as a rendition."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from braingranary.catalog.read import series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging import jpeg
from braingranary.imaging.contact_sheet import to_png
from braingranary.imaging.rendition import fitted
from serving.api.schemas import NoParameters, Parameters, Problem, SlicePath
from serving.auth import terms
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.images import packed, picture

TAG = Tag(name="slices", description="Single slices, radiologically: patient's right on the viewer's left.")
api = APIBlueprint("slices", __name__, url_prefix="/api/v1", abp_tags=[TAG])
SIDE_PIXELS_MIN: Final = 16
SIDE_PIXELS_MAX: Final = 1024  # four times the usual matrix: more shows nothing more


class PictureParameters(Parameters):
    """How one slice is to be shown."""

    format: Literal["jpeg", "png"] = Field(default="jpeg", description="jpeg without a size is the packed bytes")
    size: Annotated[int, Field(ge=SIDE_PIXELS_MIN, le=SIDE_PIXELS_MAX)] | None = Field(
        default=None, description="longer side in square pixels; without it every pixel as it is packed"
    )


@api.get(
    "/slices/<slice_id>.jpg",
    summary="One slice as packed",
    responses={"200": {"content": {"image/jpeg": {}}}, "403": Problem},
)
@access(Access.PUBLIC)
def one_slice(path: SlicePath, query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """The JPEG exactly as it lies in the pack."""
    found, index, restricted = _found(path)
    store = services().store
    return picture(
        _etag(found, index), "image/jpeg", lambda: packed(store, found.object_key, found), restricted=restricted
    )


@api.get(
    "/slices/<slice_id>",
    summary="One slice as JPEG or PNG at a size",
    responses={"200": {"content": {"image/jpeg": {}, "image/png": {}}}, "403": Problem},
)
@access(Access.PUBLIC)
def slice_rendition(path: SlicePath, query: PictureParameters) -> Response:
    """A rendition with square pixels; a JPEG without a size is the packed one."""
    found, index, restricted = _found(path)

    def make() -> bytes:
        data = packed(services().store, found.object_key, found)
        if query.size is None and query.format == "jpeg":
            return data
        grey = jpeg.decode(data)
        if query.size is not None:
            grey = fitted(grey, query.size, pixel_aspect=found.pixel_height_mm / found.pixel_width_mm)
        return to_png(grey) if query.format == "png" else jpeg.encode(grey)

    plain = query.size is None and query.format == "jpeg"
    etag = _etag(found, index) if plain else f"{_etag(found, index)}-{query.format}-{query.size or 'whole'}"
    return picture(etag, f"image/{query.format}", make, restricted=restricted)


def slice_url(slice_id: str) -> str:
    """Address of a slice."""
    # Not url_for: a page holds hundreds of these, and each would cost as much as the rest of its row.
    return f"{request.script_root}{api.url_prefix}/slices/{slice_id}.jpg"


def _found(path: SlicePath) -> tuple[series.SliceLocation, int, bool]:
    """The place of the slice, its number, and whether its pixels are restricted; the caller may see them."""
    pack_id, slice_index = (int(part) for part in path.slice_id.split("-"))
    with services().catalog() as connection:
        found = series.slice_location(connection, pack_id, slice_index)
        if found is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such slice")
        restricted = terms.require(connection, pack_id=pack_id)
    return found, slice_index, restricted


def _etag(found: series.SliceLocation, slice_index: int) -> str:
    """Pack and number name the bytes."""
    return f"{found.sha256[:32]}-{slice_index}"
