"""`/api/v1/slices/<id>.jpg`: one slice by one range GET out of its pack."""

from __future__ import annotations

import zlib

from flask import Response, request, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from braingranary.catalog import search
from braingranary.errors import Code, GranaryError, RejectedInput
from serving.policies import Access, access
from serving.schemas import NoParameters, Problem, SlicePath
from serving.services import services

# Not `immutable`: another profile may make another image of the same slice one day.
CACHE_CONTROL = "public, max-age=86400"
api = APIBlueprint("slices", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="slices")])


@api.get(
    "/slices/<slice_id>.jpg",
    summary="One slice as JPEG",
    responses={"200": {"content": {"image/jpeg": {}}}, "404": Problem},
)
@access(Access.PUBLIC)
def one_slice(path: SlicePath, query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """The JPEG exactly as it lies in the pack."""
    pack_id, slice_index = (int(part) for part in path.slice_id.split("-"))
    with services().catalog() as connection:
        found = search.slice_location(connection, pack_id, slice_index)
    if found is None:
        raise RejectedInput(Code.NOT_FOUND, "there is no such slice")
    response = Response(content_type="image/jpeg")
    response.set_etag(f"{found.sha256[:32]}-{slice_index}")
    response.headers["Cache-Control"] = CACHE_CONTROL
    if request.if_none_match.contains(response.get_etag()[0] or ""):
        response.status_code = 304
        return response
    data = services().store.get_range(found.object_key, found.byte_offset, found.byte_length)
    if zlib.crc32(data) != found.crc32:
        raise GranaryError(Code.CHECKSUM_MISMATCH, f"{found.object_key}: not the bytes that were catalogued")
    response.set_data(data)
    return response


def slice_url(slice_id: str) -> str:
    """Address of a slice."""
    return url_for("slices.one_slice", slice_id=slice_id)
