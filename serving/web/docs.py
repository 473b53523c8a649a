"""`/api/v1/docs` and `/api/v1/openapi.json`: the API described, for people and for programs.

The page is Swagger UI out of its own package: nothing is fetched from elsewhere and no script stands in the page. Its
stylesheet draws its icons as data: pictures, so this one page may show those.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final, Literal, cast

import flask_openapi3_swagger
from flask import Response, current_app, make_response, render_template, request, send_from_directory
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.openapi import OpenAPI

from serving.api.schemas import NoParameters, Parameters
from serving.auth.policies import Access, access
from serving.http.headers import HEADERS
from serving.http.images import CACHE_CONTROL
from serving.http.openapi import describe
from serving.http.responses import REVALIDATED

_ASSETS: Final = Path(flask_openapi3_swagger.__path__[0]) / "templates" / "swagger"
_FOLDERS: Final = {"swagger-ui.css": "css", "swagger-ui-bundle.js": "js"}
_MADE: Final = "granary.openapi"
_POLICY: Final = HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")
api = APIBlueprint("docs", __name__, url_prefix="/api/v1", doc_ui=False)


class AssetPath(Parameters):
    """A file of Swagger UI."""

    name: Literal["swagger-ui.css", "swagger-ui-bundle.js"]


@api.get("/openapi.json")
@access(Access.PUBLIC)
def openapi(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """The OpenAPI 3.1 description of every route."""
    body, etag = _described()
    response = Response(body, content_type="application/json")
    response.set_etag(etag)
    response.headers["Cache-Control"] = REVALIDATED
    response.make_conditional(request)
    return response


@api.get("/docs")
@access(Access.PUBLIC)
def docs(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """The same for people, to try out."""
    response = make_response(render_template("docs.html"))
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = REVALIDATED
    return response


@api.get("/docs/<name>")
@access(Access.PUBLIC)
def asset(path: AssetPath, query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """A file that the page is made of."""
    response = send_from_directory(_ASSETS / _FOLDERS[path.name], path.name)
    response.headers["Cache-Control"] = CACHE_CONTROL
    return response


def _described() -> tuple[bytes, str]:
    """The description and its name, made by the first request of the process that asks for it."""
    made: tuple[bytes, str] | None = current_app.extensions.get(_MADE)
    if made is None:
        body = json.dumps(describe(cast(OpenAPI, current_app))).encode()
        made = current_app.extensions[_MADE] = (body, hashlib.sha256(body).hexdigest()[:32])
    return made
