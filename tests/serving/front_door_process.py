"""The front door as it runs for real: gunicorn with its own configuration, on a free port."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from braingranary.devstack import processes
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.serving_site import WAIT_S, ServingSite, accounts_environment

ROOT = Path(__file__).resolve().parents[2]
GUNICORN = str(Path(sysconfig.get_path("scripts")) / "gunicorn")  # not `python -m`: USR2 could not replace that
PROBE_TIMEOUT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class FrontDoorProcess:
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
def front_door_address(site: ServingSite, log: Path) -> Iterator[str]:
    """The address of a running front door; it and its workers are gone afterwards."""
    with front_door_process(site, log) as running:
        yield running.address


@contextmanager
def front_door_process(
    site: ServingSite | None,
    log: Path,
    *,
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    application: str = "serving.wsgi:app",
) -> Iterator[FrontDoorProcess]:
    """A running front door with settings and options of gunicorn of its own; all of it is gone afterwards.

    An application of a test's own needs no site.
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
            env=(environment(site) if site else dict(os.environ)) | dict(settings or {}),
            stdout=output,
            stderr=output,
        )
        running = FrontDoorProcess(address=f"http://127.0.0.1:{port}", server=server, log=log)
        try:
            _wait(running)
            if site and application == "serving.wsgi:app":
                until(lambda: _searches(running), f"the search is not ready, see {running.log}")
            yield running
        finally:
            _end(server)


def environment(site: ServingSite) -> dict[str, str]:
    """The environment that the front door of a site is started with."""
    store = site.store_settings
    assert store.secret_key is not None
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GRANARY_")},
        "GRANARY_CATALOG_DSN": site.dsn,
        "GRANARY_S3_BUCKET": store.bucket,
        "GRANARY_S3_ENDPOINT_URL": store.endpoint_url or "",
        "GRANARY_S3_ACCESS_KEY": store.access_key or "",
        "GRANARY_S3_SECRET_KEY": store.secret_key.get_secret_value(),
        "GRANARY_SERVING_POOL_TIMEOUT_S": str(WAIT_S),
        "GRANARY_SERVING_READY_TIMEOUT_S": str(WAIT_S),
        "GRANARY_SERVING_DETECT_TIMEOUT_S": str(WAIT_S),
        "GRANARY_SERVING_DETECT_PROCESSES": "0",
        "GRANARY_SERVING_DETECT_PER_ACCOUNT_MAX": "64",
        "GRANARY_SERVING_SNAPSHOT_FOLDER": site.snapshots.name,
        **accounts_environment(site),
    }


def _wait(running: FrontDoorProcess) -> None:
    until(lambda: _answers(running), f"gunicorn does not answer, see {running.log}")


def _answers(running: FrontDoorProcess) -> bool:
    assert running.server.poll() is None, f"gunicorn ended: {running.log.read_text()[-3000:]}"
    try:
        return httpx.get(f"{running.address}/healthz", timeout=PROBE_TIMEOUT_S, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _searches(running: FrontDoorProcess) -> bool:
    """Whether every worker has its search snapshot."""
    return running.log.read_text().count("search_refreshed") >= len(running.workers())


def _end(server: subprocess.Popen[bytes]) -> None:
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children()] if server.poll() is None else []
    server.terminate()
    try:
        server.wait(PATIENCE_S)
    finally:
        for process in family:
            if process.is_running() and process.pid != os.getpid():
                process.kill()
        server.wait()
