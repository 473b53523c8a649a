"""`/api/v1/downloads` tells what a download will be; `/api/v1/downloads.zip` is the download."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from functools import partial
from typing import Literal

from flask import Response, request, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel, Field

from braingranary.catalog.db import Connection
from braingranary.catalog.read import downloads
from braingranary.catalog.read.downloads import PackRow
from braingranary.catalog.schema.row_keys import series_id
from braingranary.catalog.search.filters import SHOWN_PLANE, SeriesFilter
from serving.api.schemas import FilterParameters, Parameters, Problem, QueryName
from serving.api.series import wanted
from serving.auth.policies import TOKEN_HEADER, Access, Rate, access
from serving.downloads.response import PackQuery, planned, send
from serving.downloads.rights import License
from serving.extensions import services
from serving.http.responses import answer

ZIP_RESPONSES: ResponseDict = {
    "200": {"content": {"application/zip": {}}},
    "206": {"content": {"application/zip": {}}},
    "304": None,
    "403": Problem,
    "412": None,
    "416": Problem,
    "503": Problem,
}
api = APIBlueprint(
    "downloads",
    __name__,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="downloads", description="Any query as one zip: its size known before it begins, resumable.")],
)
Labels = Literal["truth", "model", "all"]
Restricted = Literal["refuse", "omit"]


class ZipParameters(Parameters):
    """What a named query's zip may be told besides."""

    labels: Labels = Field(
        default="truth", description="whose word counts; `model`: the active model's, where no truth speaks"
    )
    restricted: Restricted = Field(
        default="refuse", description="`omit` leaves out collections whose terms you have not accepted"
    )


class DownloadParameters(FilterParameters, ZipParameters):
    """A named query, the filters of the list of series, or both: what answers all of it."""

    query: QueryName | None = Field(default=None, description="a named query")


class DownloadPlan(BaseModel):
    """What a download will be, before it is begun."""

    bytes: int
    slices: int
    packs: int
    series: int
    subjects: int
    collections: list[str]
    licenses: list[License]
    omitted: list[str] = Field(description="collections left out, because their terms are not accepted")
    needs_terms: list[str] = Field(description="terms to accept before this download is answered")
    etag: str
    url: str
    curl: str


@api.get("/downloads", summary="What a download will be", responses={"200": DownloadPlan, "503": Problem})
@access(Access.PUBLIC, rate=Rate.DOWNLOAD)
def tell(query: DownloadParameters) -> Response:
    """Size, counts, licences and a line for curl, before the click."""
    return answer(described(query))


def described(query: DownloadParameters) -> DownloadPlan:
    """What the download of these parameters will be; TransientFailure(SERVER_BUSY) when too many are under way."""
    service = services()
    with service.downloads.hold():
        found = planned(
            _pack_query(query), omit=query.restricted == "omit", timeout_ms=service.serving.statement_timeout_ms
        )
        plan = found.plan
    address = url_for("downloads.zipped", **query.model_dump(mode="json", exclude_unset=True))
    sign = f'-H "{TOKEN_HEADER}: $TOKEN" ' if found.restricted else ""
    url = f"{request.host_url.rstrip('/')}{address}"
    return DownloadPlan(
        bytes=plan.length,
        slices=plan.total.members,
        packs=plan.packs,
        series=plan.series,
        subjects=plan.subjects,
        collections=list(plan.rights.collections),
        licenses=list(plan.rights.licenses),
        omitted=sorted({item.collection for item in found.omitted}),
        needs_terms=sorted({item.terms for item in found.missing}),
        etag=plan.etag,
        url=address,
        # -C - goes on where an aborted one ended; the server sees to it that both halves belong together.
        curl=f"curl -fL --retry 5 -C - -o braingranary.zip {sign}{shlex.quote(url)}",
    )


@api.get("/downloads.zip", summary="Slices as one zip", responses=ZIP_RESPONSES)
@access(Access.PUBLIC, rate=Rate.DOWNLOAD)
def zipped(query: DownloadParameters) -> Response:
    """All slices of a named query, or of the series that the filters leave, streamed and resumable."""
    # Values of filters are what a visitor typed: they stay out of the trail.
    filters = sorted(wanted(query).active)
    parts = [query.query or "", f"filters: {', '.join(filters)}" if filters else ""]
    return send(
        _pack_query(query),
        omit=query.restricted == "omit",
        name=f"{query.query or 'braingranary'}.zip",
        description=" ".join(part for part in parts if part) or "everything",
    )


def _pack_query(query: DownloadParameters) -> PackQuery:
    narrowed = wanted(query)
    if query.query is not None and not narrowed.active:
        return named(query.query, query.labels)
    return partial(_packs, narrowed=narrowed, labels=query.labels, query=query.query)


def _packs(
    connection: Connection, *, narrowed: SeriesFilter, labels: Labels, query: QueryName | None
) -> Generator[PackRow]:
    """The packs of the series that match now."""
    planes = narrowed.asked(SHOWN_PLANE)
    return downloads.packs_of_series(connection, _series_ids(narrowed), labels, planes=planes, query=query)


def _series_ids(narrowed: SeriesFilter) -> list[int]:
    """Keys of the series that match; series named by their UIDs alone need no search."""
    if narrowed.active == {"uid"}:
        return [series_id(uid) for uid in narrowed.asked("uid")]
    return services().search.current.select(narrowed).series_ids


def named(query: QueryName, labels: Labels) -> PackQuery:
    """All that a named query answers."""
    return partial(downloads.packs_of_named_query, name=query, labels=labels)
