"""The two small HTTP services of the stack: the front door behind gunicorn, and the sample archive.

In: ports, addresses, a folder of DICOM. Out: services that `services` can start. They fail as every service does: with
ConfigurationError when they do not answer in time, the reason in their log.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from braingranary.detector.contracts.model_metadata import SHIPPED
from braingranary.devstack import processes
from braingranary.devstack.sample_archive.server import API_PATH
from braingranary.devstack.state import State
from braingranary.settings import StoreSettings, store_environment

START_TIMEOUT_S: Final = 300.0
_PROBE_TIMEOUT_S: Final = 15.0
_ANSWER_TIMEOUT_S: Final = 120.0
_PARTS_TIMEOUT_S: Final = 10.0  # a part that is slow on a busy machine is no reason to start it all again
_SLICE_PATH: Final = re.compile(r"/api/v1/slices/[A-Za-z0-9._~:-]+\.jpg")


class FrontDoor:
    """gunicorn with the Flask app of `serving`."""

    def __init__(
        self,
        *,
        state: State,
        checkout: Path,
        port: int,
        catalog_dsn: str,
        store: StoreSettings,
        accounts: Mapping[str, str],
        base_environment: Mapping[str, str],
    ) -> None:
        self.name = "serving"
        self.start_timeout_s = START_TIMEOUT_S
        self._state = state
        self._checkout = checkout
        self._port = port
        self._catalog_dsn = catalog_dsn
        self._store = store
        self._accounts = accounts
        self._base_environment = base_environment

    @property
    def base_url(self) -> str:
        """Address of the front page."""
        return f"http://127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Nothing is needed on disk."""

    def command(self) -> processes.Command:
        """What starts it."""
        return processes.Command(
            name=self.name,
            argv=[
                # The command, not `python -m gunicorn`: that one could not be replaced by USR2.
                str(Path(sysconfig.get_path("scripts")) / "gunicorn"),
                "--config", str(self._checkout / "serving" / "gunicorn.conf.py"),
                "--bind", f"127.0.0.1:{self._port}", "serving.wsgi:app",
            ],
            env={
                **self._base_environment,
                "GRANARY_CATALOG_DSN": self._catalog_dsn,
                **store_environment(self._store),
                "GRANARY_SERVING_METRICS_NETWORKS": '["127.0.0.0/8"]',
                "GRANARY_SERVING_READY_TIMEOUT_S": str(_PARTS_TIMEOUT_S),
                "GRANARY_SERVING_DETECT_PROCESSES": str(int(any(SHIPPED.glob("*.json")))),
                **self._accounts,
            },
            cwd=self._checkout,
            log=self._state.logs / "serving.log",
            owner=self._state.root,
        )  # fmt: skip

    def healthy(self) -> bool:
        """Whether it says itself that all it needs works; the model, which loads for seconds, may come later."""
        try:
            parts = httpx.get(f"{self.base_url}/readyz", timeout=_PROBE_TIMEOUT_S, trust_env=False).json()["parts"]
        except (httpx.HTTPError, ValueError, LookupError):
            return False
        return all(state == "ok" for name, state in parts.items() if name != "model")


class SampleArchiveService:
    """The sample archive over one folder of DICOM. Other `content` (a digest of it) means another process."""

    def __init__(
        self, *, state: State, port: int, folder: Path, content: str, base_environment: Mapping[str, str]
    ) -> None:
        self.name = "archive"
        self.start_timeout_s = START_TIMEOUT_S
        self._state = state
        self._port = port
        self._folder = folder
        self._content = content
        self._base_environment = base_environment

    @property
    def base_url(self) -> str:
        """What a TCIA client takes for the address of the archive."""
        return self.base_url_at(self._port)

    @staticmethod
    def base_url_at(port: int) -> str:
        """The same, for one that may not run yet."""
        return f"http://127.0.0.1:{port}{API_PATH}"

    def prepare(self) -> None:
        """The folder is there already."""

    def command(self) -> processes.Command:
        """What starts it."""
        return processes.Command(
            name=self.name,
            argv=[
                sys.executable, "-m", "braingranary.devstack.sample_archive",
                "--folder", str(self._folder), "--port", str(self._port),
            ],
            env={**self._base_environment, "BRAINGRANARY_CONTENT": self._content},
            cwd=self._state.root,
            log=self._state.logs / "archive.log",
            owner=self._state.root,
        )  # fmt: skip

    def healthy(self) -> bool:
        """Whether it answers what it was made for."""
        return _answers(f"{self.base_url}getCollectionValues")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=_PROBE_TIMEOUT_S, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def first_slice_path(front_url: str) -> str | None:
    """The path of one slice that the front door itself names, for an example that works; None while it has none."""
    try:
        answer = httpx.get(f"{front_url}/ImageList", params={"limit": 1}, timeout=_ANSWER_TIMEOUT_S, trust_env=False)
    except httpx.HTTPError:
        return None
    found = _SLICE_PATH.search(answer.text)
    return found[0] if found else None
