"""The pages for people: search, the viewer of a series, the detector's page and the pipeline's state.

Rendered on the server out of the same functions that answer the API, usable without a script; scripts only make them
quicker to use. Goes in: a URL, which holds the whole state of a page. Comes out: HTML. Problems are told as a page.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from flask import Response, current_app, make_response, render_template, request, url_for
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field, model_validator
from werkzeug.exceptions import SecurityError

from braingranary.accounts.passwords import PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN
from braingranary.catalog.read import pipeline, predictions, series_notes
from braingranary.catalog.read import series as series_rows
from braingranary.catalog.read import terms as restrictions
from braingranary.catalog.search.query import VALUES_MAX
from braingranary.errors import Code, RejectedInput, TransientFailure
from serving.api import schemas
from serving.api.downloads import DownloadParameters, DownloadPlan, described
from serving.api.facets import counted
from serving.api.schemas import NoParameters, SeriesPath
from serving.api.series import detail, listed
from serving.auth.policies import Access, Rate, access
from serving.extensions import services
from serving.http.responses import wants_page
from serving.web import download_options, pipeline_view, search_view, viewer

SLICES_MAX: Final = 5_000
"""Slices of one volume that the viewer is given at most, all planes together."""
SIGN_UP_SAID: Final = {
    "open": "A new address is registered, a known one signs in.",
    "invitation": "A new address is registered with an invitation, a known one signs in.",
    "closed": "Accounts are made by the administrators of this server.",
}
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
    item = detail(path.uid)
    with services().catalog() as connection:
        packs = series_rows.packs_of_series(connection, path.uid)
        slices = series_rows.slices_of_series(connection, path.uid, after=(query.volume, "", -1), limit=SLICES_MAX)
        labels = series_notes.label_summary(connection, path.uid)
        restricted = bool(restrictions.restrictions_of(connection, series_uid=path.uid))
        verdict = next((one for one in predictions.of_series(connection, path.uid) if one.active), None)
        model = next((one for one in predictions.models(connection) if one.active), None) if verdict else None
        scored = predictions.of_slices(connection, path.uid, model=verdict.model) if verdict else []
    volumes = sorted({pack.volume for pack in packs})
    if query.volume and query.volume not in volumes:
        raise RejectedInput(Code.NOT_FOUND, "the series has no such volume")
    scores = {(one.pack_id, one.slice_index): None if one.declined else one.tumor_probability for one in scored}
    tracks = viewer.tracks(packs, slices, volume=query.volume, scores=scores)
    track = next((one for one in tracks if one.plane == query.plane), tracks[0] if tracks else None)
    index = min(query.slice - 1, track.count - 1) if track and query.slice else track.middle if track else 0
    return _page(
        "series.html",
        item=item,
        facts=viewer.facts(item),
        labels=labels,
        prediction=verdict,
        plan=_plan(path.uid),
        omit_url=_download_address({"uid": (path.uid,), "restricted": ("omit",)}),
        lineage_url=url_for("lineage.series_lineage", uid=path.uid),
        model=model,
        volumes=volumes,
        volume=query.volume,
        tracks=tracks,
        track=track,
        index=index,
        restricted=restricted,
        sides=viewer.SIDES[track.plane] if track else {},
        ruler_mm=viewer.RULER_MM,
        strip_said={one.plane: one.told() for one in tracks},
        any_scored=any(one.scored for one in tracks),
        any_label=any(tumor is not None for one in tracks for tumor in one.tumor),
        programs=[
            ("curl command for the series", url_for("series.one_series", uid=path.uid)),
            ("curl command for its slices", url_for("series.slices_of_series", uid=path.uid)),
            ("curl command for its predictions", url_for("predictions.series_predictions", uid=path.uid)),
            ("curl command for its lineage", url_for("lineage.series_lineage", uid=path.uid)),
        ],
        script={
            "plane": track.plane if track else "",
            "index": index,
            "ruler": viewer.RULER_MM,
            "restricted": restricted,
            "signIn": url_for("pages.try_page") + "#account-form",
            "tracks": [{**one.for_script(), "start": index if one is track else one.middle} for one in tracks],
        },
    )


class SearchParameters(schemas.SeriesParameters):
    """The API's own, where an empty field of a form is none, and a page is a screenful."""

    limit: schemas.Limit = 48

    @model_validator(mode="before")
    @classmethod
    def _without_empty_fields(cls, sent: dict[str, Any]) -> dict[str, Any]:
        return _filled(sent)


class DownloadPageParameters(DownloadParameters):
    """The same of a download."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_fields(cls, sent: dict[str, Any]) -> dict[str, Any]:
        return _filled(sent)


@api.get("/search")
@access(Access.PUBLIC)
def search_page(query: SearchParameters) -> Response:
    """Faceted search."""
    snapshot = services().search.current
    found = listed(snapshot, query)
    facets = counted(snapshot, query, values_max=VALUES_MAX)
    arguments = _arguments()
    order: dict[str, list[str]] = {name: arguments[name] for name in ("sort", "order") if name in arguments}
    filters = search_view.filters(arguments)
    return _page(
        "search.html",
        arguments=arguments,
        first={name: values[0] for name, values in arguments.items()},
        sort=query.sort,
        sorts=search_view.SORTS.items(),
        count=facets.count,
        groups=search_view.groups(facets.facets, arguments, _search_address),
        chips=search_view.chips(arguments, _search_address),
        ranges=search_view.RANGES,
        range_names=search_view.RANGE_NAMES,
        ranged=search_view.RANGE_NAMES & arguments.keys(),
        results=found.series,
        more_url=_search_address({**arguments, "cursor": (found.next,)}) if found.next else None,
        api_url=_address("series.list_series", {**filters, **order}),
        csv_url=_address("series.list_series", {**filters, **order, "format": ("csv",)}),
        download_url=_download_address(filters),
    )


@api.get("/download")
@access(Access.PUBLIC, rate=Rate.DOWNLOAD)
def download_page(query: DownloadPageParameters) -> Response:
    """Size and licences of a download, before its first byte."""
    asked = _arguments()
    filters = {name: values for name, values in asked.items() if name not in download_options.NOT_FILTERS}
    return _page(
        "download_page.html",
        title=download_options.title(query.query),
        plan=described(query),
        chips=search_view.chips(filters, _download_address),
        choices=download_options.choices(asked, _download_address),
        omit_url=_download_address({**asked, "restricted": ("omit",)}),
        search_url=_search_address(filters) if query.query is None else None,
    )


@api.get("/try")
@access(Access.PUBLIC)
def try_page(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """A place to sign in and to drop a scan on."""
    sign_up = services().identity.sign_in_service.sign_up
    with services().catalog() as connection:
        model = next((item for item in predictions.models(connection) if item.active), None)
    return _page(
        "try.html",
        model=model,
        sign_up=sign_up,
        sign_up_said=SIGN_UP_SAID[sign_up],
        password_min=PASSWORD_CHARACTERS_MIN,
        password_max=PASSWORD_CHARACTERS_MAX,
    )


@api.get("/pipeline")
@access(Access.PUBLIC)
def pipeline_page(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """How the pipeline is doing."""
    with services().catalog() as connection:
        loaded = series_rows.runs(connection, limit=RUNS_SHOWN)
        scored = pipeline.score_runs(connection, limit=RUNS_SHOWN)
        newest = pipeline.newest_runs(connection)
        rejects = pipeline.reject_reasons(connection, limit=REASONS_SHOWN)
    totals = services().search.current.totals
    now = datetime.now(UTC)
    collections = totals.facet("collection")
    return _page(
        "pipeline.html",
        now=now,
        steps=pipeline_view.steps(newest, now=now),
        total=totals,
        lost=sum(item.lost_count for item in rejects),
        collections=collections[:COLLECTIONS_SHOWN],
        hidden_collections=len(collections[COLLECTIONS_SHOWN:]),
        rejects=rejects,
        runs=pipeline_view.runs(loaded, scored, limit=RUNS_SHOWN),
    )


@api.get("/favicon.ico")
@access(Access.PUBLIC)
def favicon() -> Response:
    """The icon, for browsers that look for it here."""
    return current_app.send_static_file("icon.svg")


@api.after_app_request
def problem_as_page(response: Response) -> Response:
    """Turn a problem at any address into a page, for who prefers one."""
    unbound = isinstance(request.routing_exception, SecurityError)  # of an unknown host no address can be made
    if response.mimetype == "application/problem+json" and wants_page() and not unbound:
        response.set_data(render_template("problem.html", problem=json.loads(response.get_data())))
        response.content_type = "text/html; charset=utf-8"
        response.headers["Vary"] = "Accept"
    return response


def _filled(sent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sent.items() if value not in ("", None, [""])}


def _arguments() -> dict[str, list[str]]:
    """The query arguments, without empty fields of a form."""
    given = {name: [value for value in values if value] for name, values in request.args.lists()}
    return {name: values for name, values in given.items() if values}


def _plan(uid: str) -> DownloadPlan | None:
    """What a series' zip will be; a page is shown without it where the server has no place to work it out."""
    try:
        return described(DownloadParameters.model_validate({"uid": [uid]}))
    except TransientFailure:
        return None


def _download_address(state: search_view.Arguments) -> str:
    return _address("pages.download_page", state)


def _search_address(state: search_view.Arguments) -> str:
    return _address("pages.search_page", state)


def _address(endpoint: str, state: search_view.Arguments) -> str:
    values: dict[str, Any] = dict(state)
    return url_for(endpoint, **values)


def _page(template: str, **facts: object) -> Response:
    response = make_response(render_template(template, origin=request.host_url.rstrip("/"), **facts))
    response.headers["Cache-Control"] = "no-cache"
    return response
