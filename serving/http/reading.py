"""The application's class: a request that only reads is read once more where its connection was lost under it.

Why: a connection that has just answered is lent without asking whether it lives (`serving.extensions`), and one that
lives may be cut in the middle of a statement: PostgreSQL is restarted, a backend is ended. Nobody who only reads needs
to notice, since the pool has by then let go of all that is as old. Goes in: a request. Comes out: what its view
answers. Methods that may change something are never repeated: those fail with ConnectionLost, as do reads whose second
connection is lost as well. An answer that has begun is past this: it ends early.
"""

from __future__ import annotations

from typing import Final

from flask import request
from flask.typing import ResponseReturnValue
from flask_openapi3.openapi import OpenAPI

from serving.extensions import ConnectionLost

_SAFE: Final = frozenset({"GET", "HEAD"})  # which change nothing (RFC 9110, 9.2.1)


class FrontDoor(OpenAPI):
    """The application of the front door."""

    def dispatch_request(self) -> ResponseReturnValue:
        """What the view of the current request answers."""
        try:
            return super().dispatch_request()
        except ConnectionLost:
            if request.method not in _SAFE:
                raise
            return super().dispatch_request()
