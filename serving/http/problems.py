"""Every error in one shape: RFC 9457 problem+json with the stable code and the request's id.

Goes in: our errors, HTTP errors, validation errors and whatever else escapes a view. Comes out: a response that
names what is wrong with the request and tells nothing of the inside.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, g
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, SecurityError

from braingranary.errors import Code, GranaryError, TransientFailure

RETRY_AFTER_S: Final = 5
_STATUS: Final = {
    Code.REQUEST_INVALID: 400,
    Code.EMAIL_INVALID: 400,
    Code.PASSWORD_INVALID: 400,
    Code.CREDENTIALS_INVALID: 401,
    Code.TOKEN_INVALID: 401,
    Code.ACCOUNT_REQUIRED: 401,
    Code.ROLE_INSUFFICIENT: 403,
    Code.OWN_ACCOUNT: 409,
    Code.NOT_FOUND: 404,
    Code.VOLUME_NOT_MADE: 404,
    Code.RATE_LIMITED: 429,
    Code.TERMS_NOT_ACCEPTED: 403,
    Code.UID_INVALID: 400,
    Code.KEY_INVALID: 400,
}
_CODE_OF_STATUS: Final = {
    404: Code.NOT_FOUND,
    405: Code.REQUEST_INVALID,
    413: Code.REQUEST_TOO_LARGE,
    503: Code.CATALOG_UNAVAILABLE,
}

_TOGETHER: Final = "request"  # what is wrong is not one parameter but what several say together

_log = structlog.get_logger(__name__)


def problem(status: int, code: Code, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    """The response for one problem."""
    body: dict[str, Any] = {
        "type": f"urn:braingranary:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": str(code),
        "request_id": g.get("request_id", ""),
    }
    if errors:
        body["errors"] = errors
    response = Response(json.dumps(body), status=status, content_type="application/problem+json")
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"  # which no browser asks a password for
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def invalid(error: ValidationError) -> Response:
    """400 that names each parameter and what is wrong with it, without its value."""
    errors = [
        {
            "name": ".".join(part for part in item["loc"] if isinstance(part, str))[:100] or _TOGETHER,
            "reason": "unknown parameter" if item["type"] == "extra_forbidden" else item["msg"],
        }
        for item in error.errors(include_input=False, include_context=False, include_url=False)
    ]
    names = ", ".join(item["name"] for item in errors)
    return problem(400, Code.REQUEST_INVALID, f"invalid parameters: {names}", errors)


def register(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    @app.errorhandler(GranaryError)
    def ours(error: GranaryError) -> Response:
        if isinstance(error, TransientFailure):
            _log.warning("request_unavailable", code=error.code, detail=error.message)
            if error.code is Code.SERVER_BUSY:
                return problem(503, error.code, error.message)
            if error.code is Code.CATALOG_TIMEOUT:
                return problem(504, error.code, "the catalogue took too long for this request; narrow it")
            return problem(503, error.code, "a part of the service does not answer; try again")
        status = _STATUS.get(error.code, 500)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("request_failed", code=error.code, detail=error.message)
            return problem(status, error.code, "the catalogue and the store disagree")
        return problem(status, error.code, error.message)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.response is not None and isinstance(error.response, Response):
            return error.response  # made by `invalid`, or a redirect
        status = error.code or 500
        code = _CODE_OF_STATUS.get(status, Code.REQUEST_INVALID if status < 500 else Code.INTERNAL)
        unknown_host = isinstance(error, SecurityError)  # whose own words would quote it
        detail = "the request is addressed to another host" if unknown_host else error.description
        response = problem(status, code, detail or HTTPStatus(status).phrase)
        for name, value in error.get_headers():
            if name not in {"Content-Type", "Content-Length"}:
                response.headers[name] = value
        return response

    @app.errorhandler(RecursionError)
    def nested(_error: RecursionError) -> Response:
        return problem(400, Code.REQUEST_INVALID, "the body is nested too deeply")

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        _log.error("request_crashed", error=type(error).__name__, exc_info=error)
        return problem(500, Code.INTERNAL, "an error of ours; it has been recorded under this request id")
