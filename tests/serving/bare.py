"""A bare Flask application for tests of the server alone: gunicorn under its configuration, nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Flask, Response

from tests.fixtures.no_services import NoServices

LONG_CHUNKS = 30
LONG_BYTES = LONG_CHUNKS * 10_000

app = Flask("bare")
app.extensions["granary"] = NoServices()
VERSION = Path(os.environ["BARE_VERSION"]).read_text() if "BARE_VERSION" in os.environ else ""


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.get("/version")
def version() -> str:
    return VERSION


@app.get("/long")
def long() -> Response:
    def chunks() -> Iterator[bytes]:
        for _ in range(LONG_CHUNKS):
            time.sleep(0.1)
            yield b"x" * (LONG_BYTES // LONG_CHUNKS)

    return Response(chunks(), headers={"Content-Length": str(LONG_BYTES)})
