"""The shipped nginx.conf under Debian's nginx, before a running front door, on free ports of the loopback.

Its three site files are written for the test; nginx.conf itself is used as shipped. Clients choose their own address
among 127.0.0.0/8, because nginx bounds what one address may do.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from braingranary.devstack import processes
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.front_door_process import FrontDoorProcess, front_door_process
from tests.serving.serving_site import ServingSite

SHIPPED = Path(__file__).resolve().parents[2] / "docker" / "nginx" / "nginx.conf"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
BEHIND_NGINX = {"GRANARY_SERVING_TRUSTED_PROXIES": '["127.0.0.0/8"]'}


@dataclass(frozen=True, kw_only=True)
class NginxSite:
    """A front door behind nginx: the site's address, and the front door itself."""

    address: str
    port: int
    front_door: FrontDoorProcess

    def client(self, source: str = "127.0.0.1") -> httpx.Client:
        """A client that connects from `source`."""
        transport = httpx.HTTPTransport(local_address=source)
        return httpx.Client(base_url=self.address, timeout=PATIENCE_S, transport=transport)

    def connect(self, source: str = "127.0.0.1", *, receive_bytes: int | None = None) -> socket.socket:
        """A plain connection from `source`; `receive_bytes` bounds what the kernel takes in for it."""
        connection = socket.socket()
        connection.settimeout(PATIENCE_S)
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", self.port))
        return connection


@contextmanager
def nginx_site(site: ServingSite, folder: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[NginxSite]:
    """nginx and gunicorn, both as shipped; skips where there is no nginx."""
    if not Path(NGINX).exists():
        pytest.skip("no nginx on this machine (Debian: apt-get install nginx)")
    folder.mkdir(parents=True, exist_ok=True)
    with front_door_process(site, folder / "gunicorn.log", settings={**BEHIND_NGINX, **(settings or {})}) as running:
        port = processes.free_ports(1)[0]
        configuration = _render(folder, port, running.address.removeprefix("http://"))
        # Debian's nginx would run its workers under an account that cannot enter the folder of a test.
        directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        command = [NGINX, "-p", str(folder), "-c", str(configuration), "-g", directives]
        with (folder / "nginx.log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                found = NginxSite(address=f"http://127.0.0.1:{port}", port=port, front_door=running)
                until(lambda: _answers(found, server, folder), "nginx does not answer")
                yield found
            finally:
                server.terminate()
                server.wait(PATIENCE_S)


def _render(folder: Path, port: int, upstream: str) -> Path:
    """nginx.conf as shipped in a folder of its own, beside the site files of a test."""
    (folder / "nginx" / "site").mkdir(parents=True)
    configuration = folder / "nginx" / "nginx.conf"
    shutil.copyfile(SHIPPED, configuration)
    sites = {
        "upstream.conf": f"server {upstream};\n",
        "listen.conf": f"listen 127.0.0.1:{port} sndbuf=512k backlog=4096;\nserver_name 127.0.0.1;\n",
        "servers.conf": f"server {{ listen 127.0.0.1:{port} default_server; return 444; }}\n",
    }
    for name, text in sites.items():
        (configuration.parent / "site" / name).write_text(text)
    return configuration


def _answers(found: NginxSite, server: subprocess.Popen[bytes], folder: Path) -> bool:
    assert server.poll() is None, f"nginx ended: {(folder / 'nginx.log').read_text()[-3000:]}"
    try:
        return httpx.get(f"{found.address}/healthz", timeout=PATIENCE_S, trust_env=False).is_success
    except httpx.TransportError:
        return False
