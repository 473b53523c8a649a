"""`/`: the front page for people, and the same facts as JSON for programs."""

from __future__ import annotations

from flask import Response, jsonify, make_response, render_template, request, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from braingranary.catalog.search.filters import SeriesFilter
from serving.api import queries, schemas
from serving.api.series import shown
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import wants_page
from serving.search import STATE_HEADER

RECENT_SERIES = 18
COLLECTIONS_SHOWN = 12
SHORTCUTS = 6
TAG = Tag(name="front door", description="What there is, in one answer.")
api = APIBlueprint("front", __name__, abp_tags=[TAG])


class FrontPage(BaseModel):
    """What a program gets at the front door."""

    name: str
    series: int
    slices: int
    subjects: int
    collections: dict[str, int]
    queries: list[queries.NamedQuery]
    links: dict[str, str]


@api.get("/", summary="What there is", responses={"200": FrontPage})
@access(Access.PUBLIC)
def front(query: schemas.NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """HTML for a browser, JSON for a program."""
    snapshot = services().search.current
    totals = snapshot.totals
    page = FrontPage(
        name="BrainGranary",
        series=totals.series_count,
        slices=totals.slice_count,
        subjects=totals.subject_count,
        collections={item.value: item.series_count for item in totals.facet("collection")},
        queries=[queries.shown(item) for item in snapshot.queries],
        links={
            "series": url_for("series.list_series"),
            "images": url_for("images.image_list"),
            "openapi": url_for("docs.openapi"),
        },
    )
    if wants_page():
        everything = snapshot.select(SeriesFilter())
        recent = everything.rows(number for number, _ in everything.page("newest", limit=RECENT_SERIES))
        response = make_response(
            render_template(
                "front.html",
                page=page,
                collections=totals.facet("collection")[:COLLECTIONS_SHOWN],
                shortcuts=[
                    ("sequence", item.value, item.value) for item in totals.facet("sequence") if item.value != "unknown"
                ][:SHORTCUTS],
                planes=totals.facet("shown_plane"),
                recent=[shown(row) for row in recent],
                origin=request.host_url.rstrip("/"),
            )
        )
    else:
        response = jsonify(page.model_dump(mode="json"))
    response.headers["Vary"] = "Accept"
    response.headers[STATE_HEADER] = snapshot.state
    response.headers["Cache-Control"] = "no-cache"
    return response
