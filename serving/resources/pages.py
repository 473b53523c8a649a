"""The pages for people: search, the viewer of a series, the detector's page and the pipeline's state.

Rendered on the server out of the same functions that answer the API, usable without a script; scripts only make them
quicker to use. Goes in: a URL, which holds the whole state of a page. Comes out: HTML. Problems are told as a page.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from flask import Response, make_response, render_template, request, url_for
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from braingranary.catalog import pages as questions
from braingranary.catalog import pipeline, search, verdicts
from braingranary.errors import Code, RejectedInput
from serving import schemas, state_of_pipeline, viewer
from serving.policies import Access, access
from serving.resources.series import shown
from serving.schemas import NoParameters, SeriesPath
from serving.services import services

SLICES_MAX: Final = 5_000
"""Slices of one volume that the viewer is given at most, all planes together."""
RUNS_SHOWN: Final = 20
REASONS_SHOWN: Final = 50
COLLECTIONS_SHOWN: Final = 25
api = APIBlueprint("pages", __name__, doc_ui=False)


class ViewerParameters(schemas.Parameters):
    """What of a series is shown; slices are counted from 1, as people do."""

    volume: int = Field(default=0, ge=0, le=999)
    plane: schemas.Plane | None = None
    slice: int | None = Field(default=None, ge=1, le=100_000)


@api.get("/series/<uid>")
@access(Access.PUBLIC)
def series_page(path: SeriesPath, query: ViewerParameters) -> Response:
    """The viewer of one series."""
    with services().catalog() as connection:
        found = search.series_page(connection, search.SeriesFilter(uid=path.uid), limit=1)
        detail = search.extra_of_series(connection, path.uid)
        if not found or detail is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such series")
        packs = search.packs_of_series(connection, path.uid)
        slices = search.slices_of_series(connection, path.uid, after=(query.volume, "", -1), limit=SLICES_MAX)
        labels = questions.label_summary(connection, path.uid)
        verdict = next((item for item in verdicts.of_series(connection, path.uid) if item.active), None)
        model = next((item for item in verdicts.models(connection) if item.active), None) if verdict else None
        scored = verdicts.of_slices(connection, path.uid, model=verdict.model) if verdict else []
    volumes = sorted({pack.volume for pack in packs})
    if query.volume and query.volume not in volumes:
        raise RejectedInput(Code.NOT_FOUND, "the series has no such volume")
    scores = {(item.pack_id, item.slice_index): None if item.declined else item.tumor_probability for item in scored}
    tracks = viewer.tracks(packs, slices, volume=query.volume, scores=scores)
    track = next((item for item in tracks if item.plane == query.plane), tracks[0] if tracks else None)
    index = min(query.slice - 1, track.count - 1) if track and query.slice else track.middle if track else 0
    return _page(
        "series.html",
        item=shown(found[0]),
        detail=detail,
        facts=viewer.facts(found[0], detail),
        labels=labels,
        prediction=verdict,
        model=model,
        volumes=volumes,
        volume=query.volume,
        tracks=tracks,
        track=track,
        index=index,
        sides=viewer.SIDES[track.plane] if track else {},
        ruler_mm=viewer.RULER_MM,
        strip_said={item.plane: item.told() for item in tracks},
        any_scored=any(item.scored for item in tracks),
        any_label=any(tumor is not None for item in tracks for tumor in item.tumor),
        programs=[
            ("curl command for the series", url_for("series.one_series", uid=path.uid)),
            ("curl command for its slices", url_for("series.slices_of_series", uid=path.uid)),
        ],
        script={
            "plane": track.plane if track else "",
            "index": index,
            "ruler": viewer.RULER_MM,
            "signIn": url_for("pages.try_page") + "#account-form",
            "detect": "/detect",
            "tracks": [{**item.for_script(), "start": index if item is track else item.middle} for item in tracks],
        },
    )


@api.get("/search")
@access(Access.PUBLIC)
def search_page(query: schemas.SeriesParameters) -> Response:
    """Faceted search."""
    return _page("search.html", query=query)


@api.get("/download")
@access(Access.PUBLIC)
def download_page(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Size and licences of a download, before its first byte."""
    return _page("problem.html", problem={"title": "Download", "detail": "later"})


@api.get("/try")
@access(Access.PUBLIC)
def try_page(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """A place to drop a scan on."""
    return _page("try.html")


@api.get("/pipeline")
@access(Access.PUBLIC)
def pipeline_page(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """How the pipeline is doing."""
    with services().catalog() as connection:
        loaded = search.runs(connection, limit=RUNS_SHOWN)
        scored = pipeline.score_runs(connection, limit=RUNS_SHOWN)
        newest = pipeline.newest_runs(connection)
        rejects = pipeline.reject_reasons(connection, limit=REASONS_SHOWN)
        facets = search.facets(connection)
    now = datetime.now(UTC)
    collections = [item for item in facets if item.facet == "collection"]
    return _page(
        "pipeline.html",
        now=now,
        steps=state_of_pipeline.steps(newest, now=now),
        total=next((item for item in facets if item.facet == "total"), None),
        lost=sum(item.lost_count for item in rejects),
        collections=collections[:COLLECTIONS_SHOWN],
        hidden_collections=len(collections[COLLECTIONS_SHOWN:]),
        rejects=rejects,
        runs=state_of_pipeline.runs(loaded, scored, limit=RUNS_SHOWN),
    )


@api.after_request
def told_as_a_page(response: Response) -> Response:
    """A problem as a page, for who asked for one; whatever raised it, validation included."""
    if response.mimetype != "application/problem+json" or not wants_page():
        return response
    body = render_template("problem.html", problem=json.loads(response.get_data()))
    told = make_response(body, response.status_code)
    told.headers["Retry-After"] = response.headers.get("Retry-After", "")
    if not response.headers.get("Retry-After"):
        del told.headers["Retry-After"]
    return told


def wants_page() -> bool:
    """Whether the caller prefers HTML; `*/*`, which programs send, does not."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _page(template: str, **facts: object) -> Response:
    response = make_response(render_template(template, origin=request.host_url.rstrip("/"), **facts))
    response.headers["Cache-Control"] = "no-cache"
    return response
