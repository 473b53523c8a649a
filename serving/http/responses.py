"""JSON answers: every one with an ETag over its bytes, so that whoever asks again and has it gets 304 and no body.

Goes in: a model of the answer, or a list of rows one longer than a page. Comes out: a response, or the page and the
cursor of the next one. What no cache may keep, and whether the caller wants a page instead, is told here as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from flask import Response, request
from pydantic import BaseModel

from serving.http import cursors

KEY_MAX: Final = 2**63 - 1  # keys are 63-bit numbers
# A load may change any list at any time: keep it, but ask whether it still stands.
REVALIDATED: Final = "no-cache"
NO_STORE: Final = "no-store"
_CONDITIONS: Final = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")
Row = TypeVar("Row")


def answer(model: BaseModel, *, cache_control: str = REVALIDATED) -> Response:
    """`model` as JSON, or 304 where the caller has just that."""
    return answer_json(model.model_dump_json().encode(), cache_control=cache_control)


def answer_json(body: bytes, *, cache_control: str = REVALIDATED) -> Response:
    """The same for what is JSON already."""
    # Tells versions apart and proves nothing, so the quickest of the hashes that are long enough will do.
    tag = f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'
    response = Response(body, content_type="application/json")
    response.headers.extend((("ETag", tag), ("Cache-Control", cache_control)))
    if any(name in request.environ for name in _CONDITIONS):
        response.make_conditional(request)
    return response


def unkept(response: Response) -> Response:
    """The same response, which no cache keeps: what is of this moment or of this caller alone."""
    response.headers["Cache-Control"] = NO_STORE
    return response


def wants_page() -> bool:
    """Whether the caller prefers HTML. JSON stands first: `*/*`, which programs send, takes the first."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def page_of(found: Sequence[Row], limit: int, key: Callable[[Row], int]) -> tuple[Sequence[Row], str | None]:
    """The first `limit` rows, and the cursor of what follows; None at the end."""
    page = found[:limit]
    return page, cursors.encode(key(page[-1])) if len(found) > limit else None


def after_of(cursor: str | None) -> int:
    """The key that a cursor of `page_of` stands for, less than all without one; raises RejectedInput."""
    return int(cursors.decode(cursor, int)[0]) if cursor else -1


def key_of(text: str) -> int:
    """The key that an id of up to 19 digits names; one beyond all keys names none of them."""
    return min(int(text), KEY_MAX)
