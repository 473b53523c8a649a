"""The peer of the serving bench: bare Flask routes under the same gunicorn configuration, with the same answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request

from tests.fixtures.no_services import NoServices

ANSWERS: dict[str, Any] = json.loads(Path(os.environ["BARE_ANSWERS"]).read_text(encoding="utf-8"))
"""By address, as it stands in the request."""
app = Flask("bare")
app.json.sort_keys = False  # type: ignore[attr-defined]
app.extensions["granary"] = NoServices()


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.get("/api/v1/series")
@app.get("/api/v1/series/<uid>")
def series(uid: str = "") -> Response:
    return jsonify(ANSWERS[request.full_path.removesuffix("?")])
