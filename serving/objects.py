"""An object of the store as an answer: streamed in blocks, with length, ETag and ranges, in constant memory.

Goes in: what the store says of the object. Comes out: 200, 206, 304 or 416 as RFC 9110 wants it. The object is pinned
by its ETag: when it is replaced while it is sent, the answer ends early instead of mixing two versions.
"""

from __future__ import annotations

import io
from typing import Final

from flask import Response, request
from werkzeug.wsgi import wrap_file

from braingranary.storage.reader import RangeReader
from braingranary.storage.store import ObjectInfo, ObjectStore
from serving.pictures import CACHE_CONTROL, RESTRICTED

BLOCK_BYTES: Final = 1024 * 1024  # one range GET and one piece of the answer


def streamed(store: ObjectStore, info: ObjectInfo, content_type: str, name: str, *, restricted: bool) -> Response:
    """The object, or the part of it that the request's Range names; offered to be saved as `name`."""
    reader = io.BufferedReader(RangeReader(store, info.key, info.size, info.etag), BLOCK_BYTES)
    # Not wrapped by the server's own sendfile, which wants a real file.
    body = wrap_file({}, reader, BLOCK_BYTES)
    response = Response(body, content_type=content_type, direct_passthrough=True)
    response.call_on_close(reader.close)
    response.content_length = info.size
    response.set_etag(info.etag.strip('"'))
    response.headers["Cache-Control"] = RESTRICTED if restricted else CACHE_CONTROL
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.make_conditional(request, accept_ranges=True, complete_length=info.size)
    return response
