"""The state folder of a stack: generated secrets, remembered ports, process records, logs and data of one checkout.

Why: a second `make demo` must find what the first one made, also after a kill at any point, and no password may stand
in a file of the repository or be the same on two machines. Every file is replaced as a whole; secrets are readable by
the owner alone.

In: the path of the folder. Out: values that stay the same as long as the folder does. Fails with ConfigurationError
when another command works on the same folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from braingranary.devstack import processes
from braingranary.errors import Code, ConfigurationError


class State:
    """One state folder; made on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.root.mkdir(parents=True, exist_ok=True)

    @property
    def logs(self) -> Path:
        """Where every process writes its output."""
        return self.root / "logs"

    @property
    def records(self) -> Path:
        """Where the records of started processes are."""
        return self.root / "processes"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one command; the lock goes with the process, so a kill leaves none behind."""
        with (self.root / ".lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"another `make demo` or `make stop` works on {self.root}"
                raise ConfigurationError(Code.CONFIGURATION_INVALID, message) from None
            yield

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(18)) -> str:
        """The secret of this name, generated when first asked for."""
        known = self._read("secrets.json")
        if name not in known:
            known[name] = make()
            self.write("secrets.json", json.dumps(known, indent=1), mode=0o600)
        return str(known[name])

    def ports(self, name: str, choose: Callable[[], Sequence[int]], *, taken: bool) -> list[int]:
        """The remembered ports of a service; chosen anew when there are none or a stranger holds one.

        `taken` says that the service itself runs, so that its ports are rightly in use.
        """
        known = self._read("ports.json")
        ports = [int(port) for port in known.get(name, [])]
        if not ports or not (taken or all(map(processes.port_is_free, ports))):
            others = {port for key, group in known.items() if key != name for port in group}
            while not ports or others & set(ports) or not all(map(processes.port_is_free, ports)):
                ports = list(choose())
            known[name] = ports
            self.write("ports.json", json.dumps(known, indent=1))
        return ports

    def write(self, name: str, text: str, *, mode: int = 0o644) -> Path:
        """Replace the file `name` of the folder as a whole; `mode` holds from its first byte on."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as handle:
            handle.write(text)
        partial.replace(path)
        return path

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.root / name).read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            message = f"{self.root / name} is damaged: run `make stop`, then `make clean`"
            raise ConfigurationError(Code.CONFIGURATION_INVALID, message) from None
        return found if isinstance(found, dict) else {}
