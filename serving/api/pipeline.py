"""The pipeline's state: `/api/v1/runs` and `/api/v1/rejects`, for its page and for whoever watches it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.read import pipeline
from braingranary.catalog.read import series as search
from serving.api.schemas import Answer, Limit, Parameters
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import answer

TAG = Tag(name="pipeline", description="What the nightly runs did last, and what could not be used.")
api = APIBlueprint("pipeline", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class FirstParameters(Parameters):
    """How many of a list that is short or only interesting at its beginning."""

    limit: Annotated[Limit, Field(description="at most so many, the first of the list")] = 50


class Run(Answer):
    """One published run that was loaded."""

    step: str = Field(description="ingest or normalize", examples=["normalize"])
    run: str
    published_at: datetime
    series_count: int
    pack_count: int
    slice_count: int
    label_count: int
    reject_count: int


class ScoreRun(Answer):
    """One scoring run that was loaded."""

    run: str
    model: str
    published_at: datetime
    series_count: int
    slice_count: int
    reject_count: int


class Freshness(BaseModel):
    """When each step last published something that was loaded; null where it never did."""

    ingest: datetime | None
    normalize: datetime | None
    score: datetime | None


class RunList(BaseModel):
    """The last runs, the newest first."""

    fresh: Freshness
    runs: list[Run]
    score_runs: list[ScoreRun]


class RejectReason(Answer):
    """How many series of one collection one step could not use, by one reason."""

    code: str = Field(description="stable code of the reason", examples=["localizer"])
    step: str
    archive: str
    collection: str
    series_count: int
    lost_count: int = Field(description="not in the catalogue at all; of the others only single files were left out")
    newest_at: datetime


class RejectList(BaseModel):
    """Reasons, the most frequent first."""

    rejects: list[RejectReason]


@api.get("/runs", summary="Last runs and freshness", responses={"200": RunList})
@access(Access.PUBLIC)
def list_runs(query: FirstParameters) -> Response:
    """Loaded runs of ingest, normalize and score, each the newest first."""
    with services().catalog() as connection:
        runs = search.runs(connection, limit=query.limit)
        scored = pipeline.score_runs(connection, limit=query.limit)
        newest = pipeline.newest_runs(connection)
    told = RunList(
        fresh=Freshness(ingest=newest.get("ingest"), normalize=newest.get("normalize"), score=newest.get("score")),
        runs=[Run.model_validate(asdict(item)) for item in runs],
        score_runs=[ScoreRun.model_validate(asdict(item)) for item in scored],
    )
    return answer(told)


@api.get("/rejects", summary="What could not be used, by reason", responses={"200": RejectList})
@access(Access.PUBLIC)
def list_rejects(query: FirstParameters) -> Response:
    """Counts by reason, step and collection; a series that was catalogued later no longer counts."""
    with services().catalog() as connection:
        found = pipeline.reject_reasons(connection, limit=query.limit)
    shown = [RejectReason.model_validate(asdict(item)) for item in found]
    return answer(RejectList(rejects=shown))
