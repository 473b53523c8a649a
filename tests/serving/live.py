"""The front door as it runs for real: gunicorn with its own configuration, on a free port."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from braingranary.devstack import processes
from tests.serving.house import House, accounts_environment

ROOT = Path(__file__).resolve().parents[2]
GUNICORN = str(Path(sysconfig.get_path("scripts")) / "gunicorn")  # not `python -m`: USR2 could not replace that
START_TIMEOUT_S = 150
STOP_TIMEOUT_S = 30


@dataclass(frozen=True, kw_only=True)
class Door:
    """A running front door: its address, the first of its processes, and where that logs."""

    address: str
    server: subprocess.Popen[bytes]
    log: Path

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        return psutil.Process(self.server.pid).children()

    def rss_mb(self) -> float:
        """Resident memory of the largest worker."""
        return max(worker.memory_info().rss for worker in self.workers()) / 1e6


@contextmanager
def gunicorn(house: House, log: Path) -> Iterator[str]:
    """The address of a running front door; it and its workers are gone afterwards."""
    with door(house, log) as running:
        yield running.address


@contextmanager
def door(
    house: House | None,
    log: Path,
    *,
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    application: str = "serving.wsgi:app",
) -> Iterator[Door]:
    """A running front door with settings and options of gunicorn of its own; all of it is gone afterwards.

    An application of a test's own needs no house.
    """
    port = processes.free_ports(1)[0]
    command = [
        GUNICORN, "--config", "serving/gunicorn.conf.py", "--bind", f"127.0.0.1:{port}",
        *options, application,
    ]  # fmt: skip
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=(environment(house) if house else dict(os.environ)) | dict(settings or {}),
            stdout=output,
            stderr=output,
        )
        running = Door(address=f"http://127.0.0.1:{port}", server=server, log=log)
        try:
            _wait(running)
            yield running
        finally:
            _end(server)


def environment(house: House) -> dict[str, str]:
    """What the front door of a house is started with."""
    store = house.store_settings
    assert store.secret_key is not None
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GRANARY_")},
        "GRANARY_CATALOG_DSN": house.dsn,
        "GRANARY_S3_BUCKET": store.bucket,
        "GRANARY_S3_ENDPOINT_URL": store.endpoint_url or "",
        "GRANARY_S3_ACCESS_KEY": store.access_key or "",
        "GRANARY_S3_SECRET_KEY": store.secret_key.get_secret_value(),
        "GRANARY_SERVING_DETECT_PROCESSES": "0",
        **accounts_environment(house),
    }


def _wait(running: Door) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if running.server.poll() is not None:
            raise AssertionError(f"gunicorn ended: {running.log.read_text()[-3000:]}")
        try:
            if httpx.get(f"{running.address}/healthz", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"gunicorn does not answer: {running.log.read_text()[-3000:]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children()] if server.poll() is None else []
    server.terminate()
    try:
        server.wait(STOP_TIMEOUT_S)
    finally:
        for process in family:
            if process.is_running() and process.pid != os.getpid():
                process.kill()
        server.wait()
