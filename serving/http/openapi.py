"""The OpenAPI 3.1 description as published: what flask-openapi3 makes of the routes, completed by what they share.

Goes in: the application with all its routes. Comes out: the description as a mapping, made once. Nothing in it is
written by hand a second time: who may call comes from the views' policies, and problems, tokens and revalidation are
the same for every route, so they are told in one place.
"""

from __future__ import annotations

import copy
from http import HTTPStatus
from typing import Any, Final

from flask import Flask
from flask_openapi3.models.info import Info
from flask_openapi3.models.license import License
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.utils import parse_rule

from braingranary.errors import Code
from serving.auth.policies import TOKEN_HEADER, Access, Policy, policy_of

INFO: Final = Info(
    title="BrainGranary",
    version="1",
    summary="Brain MRI, normalized, catalogued and labelled.",
    description=(
        "Collections, series and slices of brain MRI from public archives, in one image convention, with labels that "
        "say where they come from. Lists are paged by `cursor`; unknown parameters are refused. Every answer has "
        "an `X-Request-ID`; every error is a problem as in RFC 9457 with a stable `code`. Research use only, not a "
        "medical device. Each series keeps the licence and the citation of its collection."
    ),
    license=License(name="Apache-2.0", identifier="Apache-2.0"),
)
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": TOKEN_HEADER,
        "description": "`accessToken` of POST /authorization",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "the same token as `Authorization: Bearer`"},
}
_PROBLEM_MEDIA: Final = "application/problem+json"
# What a route answers beside the JSON of its model.
_OTHER_CONTENT: Final[dict[str, dict[str, Any]]] = {
    "series.list_series": {
        "text/csv": {"schema": {"type": "string"}},
        "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    }
}
_ROLES: Final[list[dict[str, list[str]]]] = [{"token": []}, {"bearer": []}]
_PROBLEMS: Final = {
    400: "A parameter is unknown, ill-typed or out of bounds; `errors` names it",
    401: "An account is required, or the token is not valid",
    403: "The account may not do this, or its terms are not accepted; `code` and `detail` say what is missing",
    404: "There is no such thing",
    409: "It contradicts what stands",
    411: "The length of the body must be told",
    412: "What `If-Match` or `If-Unmodified-Since` names no longer stands",
    413: "The body is larger than this route takes",
    415: "Not a kind of body that this route takes",
    416: "The range lies outside",
    422: "The input was understood and cannot be used; `code` says why",
    429: "Too many requests; `Retry-After` says when to come back",
    500: "An error of ours, recorded under the request id",
    503: "A part of the service does not answer; `Retry-After` says when to try again",
    504: "The catalogue took too long for this request; narrow it",
}
_EVERYWHERE: Final = (400, 401, 429, 500, 503, 504)
_EXAMPLE_CODES: Final = {
    400: Code.REQUEST_INVALID,
    401: Code.ACCOUNT_REQUIRED,
    403: Code.TERMS_NOT_ACCEPTED,
    404: Code.NOT_FOUND,
    413: Code.REQUEST_TOO_LARGE,
    422: Code.NOT_BRAIN_MR,
    429: Code.RATE_LIMITED,
    500: Code.INTERNAL,
    503: Code.CATALOG_UNAVAILABLE,
    504: Code.CATALOG_TIMEOUT,
}


TAG_ORDER: Final = (
    "front door", "collections", "subjects", "studies", "series", "slices", "downloads", "images", "queries",
    "predictions", "detector", "lineage", "pipeline", "accounts", "terms of use", "operations",
)  # fmt: skip


def describe(app: OpenAPI) -> dict[str, Any]:
    """The completed description of every route of `app`."""
    spec: dict[str, Any] = copy.deepcopy(app.api_doc)
    policies = _policies(app)
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            endpoint, policy = policies[path, method.upper()]
            operation["operationId"] = endpoint.replace(".", "_")
            _complete(operation, path, method, policy)
            if endpoint in _OTHER_CONTENT:
                operation["responses"]["200"]["content"] |= _OTHER_CONTENT[endpoint]
    spec["components"]["responses"] = {f"Problem{status}": _problem(status) for status in _PROBLEMS}
    spec["tags"].sort(key=lambda tag: TAG_ORDER.index(tag["name"]) if tag["name"] in TAG_ORDER else len(TAG_ORDER))
    spec["paths"] = dict(sorted(spec["paths"].items()))
    return spec


def _policies(app: Flask) -> dict[tuple[str, str], tuple[str, Policy | None]]:
    """Endpoint and policy by path as OpenAPI writes it and method."""
    return {
        (parse_rule(rule.rule), method): (rule.endpoint, policy_of(app.view_functions[rule.endpoint]))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def _complete(operation: dict[str, Any], path: str, method: str, policy: Policy | None) -> None:
    open_to_all = policy is not None and policy.least is Access.PUBLIC
    operation["security"] = [{}, *_ROLES] if open_to_all else _ROLES
    if policy is not None and not open_to_all:
        told = operation.get("description", "")
        operation["description"] = f"{told}\n\nNeeds an account with the role {policy.least} or more.".strip()
    if "description" in operation:
        operation["description"] = operation["description"].replace("<br/>", "\n")
    for parameter in operation.get("parameters", ()):
        _complete_parameter(parameter)
    responses = operation.setdefault("responses", {})
    statuses = {*_EVERYWHERE, *(int(status) for status in responses if int(status) >= HTTPStatus.BAD_REQUEST)}
    statuses |= ({404} if "{" in path else set()) | (set() if open_to_all else {403})
    statuses |= {413} if method != "get" else set()
    for status in statuses:
        if not _is_own(responses.get(str(status), {})):
            responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    if method == "get" and "200" in responses and open_to_all and path.startswith("/api/"):
        responses["304"] = {"description": "What `If-None-Match` names still stands"}
    operation["responses"] = dict(sorted(responses.items()))


def _is_own(told: dict[str, Any]) -> bool:
    """Whether a route answers this with something of its own, as /readyz answers 503 with what is not ready."""
    schemas = [media.get("schema", {}) for media in told.get("content", {}).values()]
    return any(schema.get("$ref", "").rpartition("/")[2] not in {"", "Problem"} for schema in schemas)


def _complete_parameter(parameter: dict[str, Any]) -> None:
    """An address cannot say null: what a parameter may be is told without it."""
    schema = parameter["schema"]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        schema.pop("anyOf")
        schema.update({name: value for name, value in kinds[0].items() if name not in schema})
    if schema.get("default", ...) is None:
        schema.pop("default")
    for name in ("title", "description"):
        schema.pop(name, None)
    example = schema.pop("example", None)
    # The page fills examples in: a filter that nobody asked for would then narrow what is tried out.
    if example is not None and parameter.get("required"):
        parameter["example"] = example


def _problem(status: int) -> dict[str, Any]:
    code = _EXAMPLE_CODES.get(status, Code.REQUEST_INVALID)
    example: dict[str, Any] = {
        "type": f"urn:braingranary:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _PROBLEMS[status],
        "code": code,
        "request_id": "9f1c2a34c0ff4b7e8d5a6b7c8d9e0f10",
    }
    if status == HTTPStatus.BAD_REQUEST:
        example["errors"] = [{"name": "limit", "reason": "Input should be less than or equal to 500"}]
    content = {_PROBLEM_MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    told: dict[str, Any] = {"description": _PROBLEMS[status], "content": content}
    if status in {429, 503}:
        told["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "string"}}}
    return told
