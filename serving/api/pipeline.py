"""The pipeline's state: `/api/v1/runs` and `/api/v1/rejects`, for its page and for whoever watches it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from braingranary.catalog.read import pipeline
from braingranary.catalog.read import series as search
from serving.api import schemas_pipeline
from serving.api.schemas import Limit, Parameters
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import answer

TAG = Tag(name="pipeline", description="What the nightly runs did last, and what could not be used.")
api = APIBlueprint("pipeline", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class FirstParameters(Parameters):
    """How many of a list that is short or only interesting at its beginning."""

    limit: Annotated[Limit, Field(description="at most so many, the first of the list")] = 50


@api.get("/runs", summary="Last runs and freshness", responses={"200": schemas_pipeline.RunList})
@access(Access.PUBLIC)
def list_runs(query: FirstParameters) -> Response:
    """Loaded runs of ingest, normalize and score, each the newest first."""
    with services().catalog() as connection:
        runs = search.runs(connection, limit=query.limit)
        scored = pipeline.score_runs(connection, limit=query.limit)
        newest = pipeline.newest_runs(connection)
    told = schemas_pipeline.RunList(
        fresh=schemas_pipeline.Freshness(
            ingest=newest.get("ingest"), normalize=newest.get("normalize"), score=newest.get("score")
        ),
        runs=[schemas_pipeline.Run.model_validate(asdict(item)) for item in runs],
        score_runs=[schemas_pipeline.ScoreRun.model_validate(asdict(item)) for item in scored],
    )
    return answer(told)


@api.get("/rejects", summary="What could not be used, by reason", responses={"200": schemas_pipeline.RejectList})
@access(Access.PUBLIC)
def list_rejects(query: FirstParameters) -> Response:
    """Counts by reason, step and collection; a series that was catalogued later no longer counts."""
    with services().catalog() as connection:
        found = pipeline.reject_reasons(connection, limit=query.limit)
    shown = [schemas_pipeline.RejectReason.model_validate(asdict(item)) for item in found]
    return answer(schemas_pipeline.RejectList(rejects=shown))
