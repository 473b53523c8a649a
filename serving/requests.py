"""What happens around every request: an id, one log line, security headers, and no parameter twice.

The id comes from a proxy where it sends a harmless one. The log line holds the route, never the query string.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Final

import structlog
from flask import Flask, Response, g, request

from braingranary.errors import Code
from serving.problems import problem

REQUEST_ID_HEADER: Final = "X-Request-ID"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z", re.ASCII)
HEADERS: Final = {
    # Nothing inline and nothing from elsewhere: a description that smuggles a script in finds nobody to run it.
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_log = structlog.get_logger("serving.access")


def register(app: Flask) -> None:
    """Wrap every request of `app`."""

    @app.before_request
    def begin() -> Response | None:
        offered = request.headers.get(REQUEST_ID_HEADER, "")
        g.request_id = offered if _ID.match(offered) else uuid.uuid4().hex
        g.started = time.monotonic()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        repeated = sorted(name for name, values in request.args.lists() if len(values) > 1)
        if repeated:
            errors = [{"name": name[:100], "reason": "given more than once"} for name in repeated]
            return problem(400, Code.REQUEST_INVALID, "a parameter is given more than once", errors)
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.get("request_id", "")
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        _log.info(
            "request",
            method=request.method,
            route=request.url_rule.rule if request.url_rule else None,
            status=response.status_code,
            ms=round((time.monotonic() - g.get("started", time.monotonic())) * 1000, 1),
        )
        return response
