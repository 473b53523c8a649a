"""`/healthz`: whether this process can answer requests."""

from __future__ import annotations

from flask import Response, jsonify
from flask_openapi3.blueprint import APIBlueprint

from braingranary.catalog import search
from serving.policies import Access, access
from serving.schemas import Health, NoParameters
from serving.services import services

WAIT_S = 1.0
api = APIBlueprint("health", __name__)


@api.get("/healthz", summary="Whether the service works", responses={"200": Health})
@access(Access.PUBLIC)
def healthz(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """200 when the catalogue answers; 503 otherwise."""
    with services().catalog(wait_s=WAIT_S, statement_timeout_ms=1000) as connection:
        search.named_queries(connection)
    response = jsonify(Health(status="ok").model_dump())
    response.headers["Cache-Control"] = "no-store"
    return response
