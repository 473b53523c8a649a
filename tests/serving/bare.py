"""A bare Flask application for the server's own tests: what is seen then is gunicorn and our worker, nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from flask import Flask, Response, request

from serving import worker
from tests.fixtures.no_services import NoServices

LONG_CHUNKS = 30
LONG_BYTES = LONG_CHUNKS * 10_000

# Shorter patience where a test is about its end, longer where a test is about what holds before; the application is
# loaded before the workers are forked.
PATIENCE_S = float(os.environ.get("BARE_PATIENCE_S", "2"))
worker.HEAD_TIMEOUT_S = PATIENCE_S  # type: ignore[misc]
worker.BODY_GRACE_S = PATIENCE_S / 2  # type: ignore[misc]

app = Flask("bare")
app.extensions["granary"] = NoServices()
VERSION = Path(os.environ["BARE_VERSION"]).read_text() if "BARE_VERSION" in os.environ else ""


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.get("/version")
def version() -> str:
    return VERSION


@app.get("/hold")
def hold() -> str:
    """Holds its thread until the file `release` is there; says by a file of its own that it has begun."""
    folder = Path(os.environ["BARE_FOLDER"])
    (folder / f"held-{uuid4()}").touch()
    while not (folder / "release").exists():
        time.sleep(0.05)
    return "held"


@app.get("/long")
def long() -> Response:
    def chunks() -> Iterator[bytes]:
        for _ in range(LONG_CHUNKS):
            time.sleep(0.1)
            yield b"x" * (LONG_BYTES // LONG_CHUNKS)

    return Response(chunks(), headers={"Content-Length": str(LONG_BYTES)})


@app.post("/body")
def body() -> str:
    return str(len(request.get_data()))
