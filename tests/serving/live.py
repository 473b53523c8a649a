"""The front door as it runs for real: gunicorn with its own configuration, on a free port."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from braingranary.devstack import processes
from tests.serving.house import House

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60


@contextmanager
def gunicorn(house: House, log: Path) -> Iterator[str]:
    """The address of a running front door; it and its workers are gone afterwards."""
    port = processes.free_ports(1)[0]
    store = house.store_settings
    assert store.secret_key is not None
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GRANARY_")},
        "GRANARY_CATALOG_DSN": house.dsn,
        "GRANARY_S3_BUCKET": store.bucket,
        "GRANARY_S3_ENDPOINT_URL": store.endpoint_url or "",
        "GRANARY_S3_ACCESS_KEY": store.access_key or "",
        "GRANARY_S3_SECRET_KEY": store.secret_key.get_secret_value(),
    }
    command = [
        sys.executable, "-m", "gunicorn", "--config", "serving/gunicorn.conf.py", "--bind", f"127.0.0.1:{port}",
        "serving.wsgi:app",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            _wait(server, address, log)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise AssertionError(f"gunicorn ended: {log.read_text()[-3000:]}")
        try:
            if httpx.get(f"{address}/healthz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"gunicorn does not answer: {log.read_text()[-3000:]}")
