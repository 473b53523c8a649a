"""Files as answers, whole or by a range, once the conditions of the request are weighed: RFC 9110, sections 13 and 14.

One range is answered as asked; several at once, another unit or a broken header are answered with the whole, which the
standard allows. werkzeug's `make_conditional` answers 416 to these, and 206 to HEAD, so it is not used here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

_NO_BYTES: Final = re.compile(r"bytes=\s*-0+\s*")


def file_response(
    etag: str,
    length: int,
    *,
    content_type: str,
    name: str,
    cache_control: str,
    body: Callable[[int, int], Iterable[bytes]],
) -> Response:
    """The answer to the current request for a file: 200, 206, 304 or 412.

    Args:
        etag: strong, without quotes.
        length: bytes of the whole.
        content_type: of the file.
        name: under which browsers offer to save it.
        cache_control: who may keep it.
        body: makes the bytes from a start to before a stop; not called where the answer has none.

    Raises:
        RequestedRangeNotSatisfiable: 416 with the length, for a range that lies outside.
    """
    status, start, stop = _wanted(etag, length)
    response = Response(status=status, content_type=content_type)
    response.set_etag(etag)
    response.accept_ranges = "bytes"
    response.headers["Cache-Control"] = cache_control
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if status is HTTPStatus.PARTIAL_CONTENT:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{length}"
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        response.content_length = stop - start
        if request.method == "GET":
            response.response = body(start, stop)
    return response


def _wanted(etag: str, length: int) -> tuple[HTTPStatus, int, int]:
    """The status of the answer, and its bytes: from a start to before a stop."""
    if request.if_match and not request.if_match.contains(etag):
        return HTTPStatus.PRECONDITION_FAILED, 0, 0
    if request.if_none_match.contains_weak(etag):
        return HTTPStatus.NOT_MODIFIED, 0, 0
    whole = HTTPStatus.OK, 0, length
    asked = request.range
    if request.method == "GET" and _NO_BYTES.fullmatch(request.headers.get("Range", "")):
        raise RequestedRangeNotSatisfiable(length)  # the last zero bytes, which werkzeug takes for all
    # A range is defined for GET alone, and one of an older version must never be glued to this one.
    if request.method != "GET" or asked is None or request.headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        return whole
    if asked.units != "bytes" or len(asked.ranges) != 1:
        return whole
    start, stop = asked.ranges[0]
    if start < 0:
        start = max(start + length, 0)
    if start >= length:
        raise RequestedRangeNotSatisfiable(length)
    return HTTPStatus.PARTIAL_CONTENT, start, length if stop is None else min(stop, length)
