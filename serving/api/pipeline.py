"""The pipeline's state: `/api/v1/runs` and `/api/v1/rejects`, for its page and for whoever watches it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.read import pipeline, series
from serving.api.schemas import Limit, Parameters
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import answer

TAG = Tag(name="pipeline", description="What the nightly runs did last, and what could not be used.")
api = APIBlueprint("pipeline", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class FirstParameters(Parameters):
    """How many of a list that is short or only interesting at its beginning."""

    limit: Annotated[Limit, Field(description="at most so many, the first of the list")] = 50


class Freshness(BaseModel):
    """When each step last published something that was loaded; null where it never did."""

    ingest: datetime | None
    normalize: datetime | None
    score: datetime | None


class RunList(BaseModel):
    """The last runs, the newest first."""

    fresh: Freshness
    runs: list[series.Run]
    score_runs: list[pipeline.ScoreRun]


class RejectList(BaseModel):
    """Reasons, the most frequent first."""

    rejects: list[pipeline.RejectReason]


@api.get("/runs", summary="Last runs and freshness", responses={"200": RunList})
@access(Access.PUBLIC)
def list_runs(query: FirstParameters) -> Response:
    """Loaded runs of ingest, normalize and score, each the newest first."""
    with services().catalog() as connection:
        runs = series.runs(connection, limit=query.limit)
        scored = pipeline.score_runs(connection, limit=query.limit)
        newest = pipeline.newest_runs(connection)
    told = RunList(
        fresh=Freshness(ingest=newest.get("ingest"), normalize=newest.get("normalize"), score=newest.get("score")),
        runs=runs,
        score_runs=scored,
    )
    return answer(told)


@api.get("/rejects", summary="What could not be used, by reason", responses={"200": RejectList})
@access(Access.PUBLIC)
def list_rejects(query: FirstParameters) -> Response:
    """Counts by reason, step and collection; a series that was catalogued later no longer counts."""
    with services().catalog() as connection:
        found = pipeline.reject_reasons(connection, limit=query.limit)
    return answer(RejectList(rejects=found))
