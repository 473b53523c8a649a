"""An object of the store as an answer: streamed in blocks, with length, ETag and ranges, in constant memory.

The object is pinned by its ETag: when it is replaced while it is sent, the answer ends early instead of mixing two
versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from flask import Response

from braingranary.storage.store import ObjectInfo
from serving.extensions import services
from serving.http.images import CACHE_CONTROL, RESTRICTED
from serving.http.ranges import file_response

BLOCK_BYTES: Final = 1024 * 1024  # one range GET and one piece of the answer


def streamed(info: ObjectInfo, content_type: str, name: str, *, restricted: bool) -> Response:
    """The object, or the part of it that the request's Range names; it counts among the downloads under way."""
    service = services()

    def body(start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, BLOCK_BYTES):
            yield service.store.get_range(info.key, at, min(BLOCK_BYTES, stop - at), etag=info.etag)

    with ExitStack() as held:
        held.enter_context(service.downloads.hold())
        response = file_response(
            info.etag.strip('"'),
            info.size,
            content_type=content_type,
            name=name,
            cache_control=RESTRICTED if restricted else CACHE_CONTROL,
            body=body,
        )
        response.call_on_close(held.pop_all().close)
    return response
