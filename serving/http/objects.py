"""An object of the store as an answer: streamed in blocks, with length, ETag and ranges, in constant memory.

Goes in: what the store says of the object. Comes out: 200, 206, 304, 412 or 416 as RFC 9110 wants it. The object is
pinned by its ETag: when it is replaced while it is sent, the answer ends early instead of mixing two versions. Every
answer under way has one of the places of downloads; fails as taking one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Final

from flask import Response, request

from braingranary.storage.store import ObjectInfo, ObjectStore
from serving.extensions import services
from serving.http import ranges
from serving.http.images import CACHE_CONTROL, RESTRICTED

BLOCK_BYTES: Final = 1024 * 1024  # one range GET and one piece of the answer


def streamed(info: ObjectInfo, content_type: str, name: str, *, restricted: bool) -> Response:
    """The object, or the part of it that the request's Range names; offered to be saved as `name`."""
    service = services()
    etag = info.etag.strip('"')
    with ExitStack() as held:
        service.downloads.acquire()
        held.callback(service.downloads.release)
        wanted = ranges.wanted(request, etag=etag, length=info.size)
        response = Response(status=wanted.status, content_type=content_type)
        response.set_etag(etag)
        response.accept_ranges = "bytes"
        response.headers["Cache-Control"] = RESTRICTED if restricted else CACHE_CONTROL
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        if wanted.status is HTTPStatus.PARTIAL_CONTENT:
            response.headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{info.size}"
        if wanted.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            response.content_length = wanted.stop - wanted.start
            if request.method == "GET":
                response.response = _sent(service.store, info, wanted)
        response.call_on_close(held.pop_all().close)
    return response


def _sent(store: ObjectStore, info: ObjectInfo, wanted: ranges.Wanted) -> Iterator[bytes]:
    for start in range(wanted.start, wanted.stop, BLOCK_BYTES):
        yield store.get_range(info.key, start, min(BLOCK_BYTES, wanted.stop - start), etag=info.etag)
