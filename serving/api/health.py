"""`/healthz`, `/readyz` and `/metrics`: for those who run the front door.

`/healthz` says that this process answers requests and touches nothing else, so that it is as quick on a bad day as on a
good one. `/readyz` asks each part that requests need; a part that fails is named, why it fails stands in the log alone.
`/metrics` is for operators, and for the networks that the settings name.
"""

from __future__ import annotations

from typing import Literal

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel

from serving.api.schemas import NoParameters, Problem
from serving.auth.policies import Access, Rate, access
from serving.extensions import services
from serving.http import metrics
from serving.http.proxies import within
from serving.http.responses import unkept

api = APIBlueprint(
    "health", __name__, abp_tags=[Tag(name="operations", description="For whoever runs and watches the service.")]
)


class Health(BaseModel):
    """Whether requests can be answered."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether what requests need works."""

    status: Literal["ready", "unready"]
    parts: dict[str, Literal["ok", "degraded", "failing"]]
    """`degraded`: the part does not answer, and something else does its work for the time being."""


@api.get("/healthz", summary="Whether this process answers", responses={"200": Health})
@access(Access.PUBLIC, rate=Rate.HEALTH)
def healthz(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """200 as long as a request finds a thread."""
    return unkept(jsonify(Health(status="ok").model_dump()))


@api.get("/readyz", summary="Whether every part answers", responses={"200": Readiness, "503": Readiness})
@access(Access.PUBLIC, rate=Rate.HEALTH)
def readyz(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """200 when all that requests need works; 503 naming the parts that do not."""
    service = services()
    service.open()  # a first request pays for that itself, not out of the time of the parts
    parts = service.readiness.ask(service.serving.ready_timeout_s)
    ready = "failing" not in parts.values()
    body = Readiness.model_validate({"status": "ready" if ready else "unready", "parts": parts})
    response = unkept(jsonify(body.model_dump()))
    response.status_code = 200 if ready else 503
    return response


def _from_known_network() -> bool:
    return within(request.remote_addr, services().serving.metrics_networks)


@api.get(
    "/metrics",
    summary="Counts for Prometheus",
    responses={"200": {"content": {"text/plain": {}}}, "401": Problem, "403": Problem},
)
@access(Access.OPERATOR, unless=_from_known_network)
def read_metrics(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Requests, downloads, detections and waits of all processes, and the state of the pipeline.

    For operators and the networks of the settings.
    """
    return unkept(Response(metrics.text(services().pipeline_metrics), content_type=CONTENT_TYPE_PLAIN_0_0_4))
