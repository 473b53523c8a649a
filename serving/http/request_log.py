"""What happens around every request: an id, a bound on its body, one log line, a count.

The id comes from a proxy where it sends a harmless one. The log line holds the route, never the query string. A body is
refused by its length before anything reads it, and only some requests of a process may read one at a time, so that slow
senders never hold every thread.
"""

from __future__ import annotations

import inspect
import os
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar, get_type_hints

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge

from braingranary.errors import Code
from serving.extensions import Services, services
from serving.http import metrics
from serving.http.problems import problem

ViewT = TypeVar("ViewT", bound=Callable[..., Any])
REQUEST_ID_HEADER: Final = "X-Request-ID"
_OFFERED_ID: Final = "HTTP_X_REQUEST_ID"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z", re.ASCII)
_BODY_MAX: Final = "__granary_body_max_bytes__"
_ID_BYTES: Final = 16

_log = structlog.get_logger("serving.access")


def takes_body(max_bytes: int) -> Callable[[ViewT], ViewT]:
    """Mark a view that takes a body of up to `max_bytes`, and that bounds itself how many of them it reads at once.

    It takes none of the places for bodies: by one account's crowd of uploads nobody else is kept from signing in.
    """

    def mark(view: ViewT) -> ViewT:
        setattr(view, _BODY_MAX, max_bytes)
        return view

    return mark


def register(app: Flask, service: Services) -> None:
    """Wrap every request of `app`."""
    slow_s = service.serving.slow_request_ms / 1000

    @app.before_request
    def begin() -> Response | None:
        # Each look through a proxy costs as much as what is found there.
        context, environ = g._get_current_object(), request.environ
        context.started = time.monotonic()
        offered = environ.get(_OFFERED_ID)
        context.request_id = offered if offered and _ID.match(offered) else os.urandom(_ID_BYTES).hex()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=context.request_id)
        if environ.get("QUERY_STRING"):
            repeatable = _lists_of(current_app.view_functions.get(request.endpoint or ""))
            repeated = sorted(
                name for name, values in request.args.lists() if len(values) > 1 and name not in repeatable
            )
            if repeated:
                errors = [{"name": name[:100], "reason": "given more than once"} for name in repeated]
                return problem(400, Code.REQUEST_INVALID, "a parameter is given more than once", errors)
        if environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ:
            _bound_body()
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        now = time.monotonic()
        context, asked = g._get_current_object(), request._get_current_object()  # type: ignore[attr-defined]
        seconds = now - context.get("started", now)
        request_id = context.get("request_id", "")
        response.headers.add(REQUEST_ID_HEADER, request_id)
        route = asked.url_rule.rule if asked.url_rule else None
        metrics.count_request(asked.method, route, response.status_code, seconds)
        write, event = (_log.warning, "slow_request") if seconds > slow_s else (_log.info, "request")
        write(event, method=asked.method, route=route, status=response.status_code, ms=round(seconds * 1000, 1))
        return response

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        if g.pop("holds_upload_place", False):
            service.uploads.release()


@cache
def _lists_of(view: Callable[..., Any] | None) -> frozenset[str]:
    """Names of the parameters of a view that may be given more than once."""
    model = get_type_hints(inspect.unwrap(view)).get("query") if view is not None else None
    if model is None:
        return frozenset()
    fields = model.model_json_schema()["properties"] if model.model_fields else {}
    return frozenset(name for name, schema in fields.items() if schema.get("type") == "array")


def _bound_body() -> None:
    """Refuse a body that is too long or of unknown length; take a place for reading one where the view has none."""
    length = request.content_length
    if length is None and request.headers.get("Transfer-Encoding"):
        raise LengthRequired("a body needs a Content-Length")
    if not length:
        return
    view = current_app.view_functions.get(request.endpoint or "")
    own_max = getattr(view, _BODY_MAX, None)
    request.max_content_length = services().serving.body_max_bytes if own_max is None else own_max
    if length > request.max_content_length:
        raise RequestEntityTooLarge(f"a body may have {request.max_content_length} bytes here")
    if own_max is None:
        services().uploads.acquire()
        g.holds_upload_place = True
