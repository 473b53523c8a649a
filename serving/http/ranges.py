"""Which bytes of an answer a request wants, once its conditions are weighed: RFC 9110, sections 13 and 14.

Goes in: the request, the strong ETag and the length of what stands at the address now. Comes out: a status and a span.
One range is answered as asked; several at once, another unit or a broken header are answered with the whole,
which the standard allows. Fails with RequestedRangeNotSatisfiable (416), which carries the length.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final, NamedTuple

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Request

_NO_BYTES: Final = re.compile(r"bytes=\s*-0+\s*")


class Wanted(NamedTuple):
    """The status of the answer, and its bytes: from `start` to before `stop`."""

    status: HTTPStatus
    start: int
    stop: int


def wanted(request: Request, *, etag: str, length: int) -> Wanted:
    """What `request` wants of `length` bytes that carry `etag`."""
    if request.if_match and not request.if_match.contains(etag):
        return Wanted(HTTPStatus.PRECONDITION_FAILED, 0, 0)
    if request.if_none_match.contains_weak(etag):
        return Wanted(HTTPStatus.NOT_MODIFIED, 0, 0)
    whole = Wanted(HTTPStatus.OK, 0, length)
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
    return Wanted(HTTPStatus.PARTIAL_CONTENT, start, length if stop is None else min(stop, length))
