"""`/ImageList` and `/Images/<query>`: the two addresses that the predecessors' users know."""

from __future__ import annotations

from flask import Response, jsonify, redirect, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from werkzeug.wrappers import Response as BaseResponse

from braingranary.catalog.read import series
from serving.api import schemas
from serving.api.downloads import ZIP_RESPONSES, ZipParameters, named
from serving.api.pictures.slices import slice_url
from serving.api.schemas import PageParameters, QueryPath
from serving.auth.policies import Access, Rate, access
from serving.downloads.response import send
from serving.extensions import services
from serving.http import cursors

api = APIBlueprint(
    "images", __name__, abp_tags=[Tag(name="images", description="The addresses that users of the predecessor know.")]
)


@api.get("/ImageList", summary="All slices, page by page", responses={"200": schemas.ImagePage})
@access(Access.PUBLIC)
def image_list(query: PageParameters) -> Response:
    """Slices with series, date, plane, scanner, pixel spacing and links."""
    pack_id, slice_index = cursors.decode(query.cursor, int, int) if query.cursor else (-1, -1)
    with services().catalog() as connection:
        found = series.image_page(connection, after=(int(pack_id), int(slice_index)), limit=query.limit + 1)
    page = found[: query.limit]
    images = []
    for item in page:
        slice_id = f"{item.pack_id}-{item.slice_index}"
        images.append(schemas.Image.of(item, id=slice_id, url=slice_url(slice_id)))
    more = cursors.encode(page[-1].pack_id, page[-1].slice_index) if len(found) > query.limit else None
    return jsonify(schemas.ImagePage(images=images, next=more).model_dump(mode="json"))


@api.get("/Images", summary="Go to a named query", responses={"303": None})
@access(Access.PUBLIC)
def choose(query: QueryPath) -> BaseResponse:
    """Where the front page's form leads when no script runs."""
    return redirect(url_for("images.download", query=query.query), 303)


@api.get("/Images/<query>", summary="Slices of a named query as a zip", responses=ZIP_RESPONSES)
@access(Access.PUBLIC, rate=Rate.DOWNLOAD)
def download(path: QueryPath, query: ZipParameters) -> Response:
    """The same zip as `/api/v1/downloads.zip?query=`, streamed and resumable."""
    return send(
        named(path.query, query.labels),
        omit=query.restricted == "omit",
        name=f"{path.query}.zip",
        description=path.query,
    )
