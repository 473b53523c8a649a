"""`pip install '.[serving]'` in an empty environment: the command answers, and gunicorn serves the front door.

Versions are those of the lock, so that a release of some library never is what fails here; the files come from the
cache that `make venv` has filled.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx
import pytest

from braingranary.devstack import processes

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
UV = Path(sys.prefix) / "bin" / "uv"
COMMAND_TIMEOUT_S = 1500
START_TIMEOUT_S = 300

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(3600)]


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """What a command prints, of either stream; nothing of this test's own settings reaches it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GRANARY_", "PYTHON"))}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S
    )
    assert done.returncode == status, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds `braingranary[serving]` and nothing else."""
    folder = tmp_path_factory.mktemp("install")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    wheel = next(folder.glob("*.whl"))
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    links = os.environ.get("PIP_FIND_LINKS")
    run(
        UV, "pip", "install", "--quiet", "--python", folder / "venv" / "bin" / "python",
        *(("--find-links", links) if links else ()),
        "--constraint", ROOT / "requirements" / "serving.txt", f"braingranary[serving] @ {wheel.as_uri()}",
        cwd=folder,
    )  # fmt: skip
    return folder / "venv" / "bin"


def test_installed_command_tells_its_version_and_what_an_absent_extra_brings(installed: Path, tmp_path: Path) -> None:
    granary = installed / "granary"
    assert run(granary, "--version", cwd=tmp_path) == f"granary, version {VERSION}\n"
    assert "GRANARY_ACCOUNTS_KEYS=" in run(granary, "account", "keys", cwd=tmp_path)
    assert "Usage: granary model" in run(granary, "model", "-h", cwd=tmp_path)
    assert "pip install 'braingranary[demo]'" in run(granary, "demo", cwd=tmp_path, status=1)


def test_installed_front_door_is_served_by_gunicorn(installed: Path, tmp_path: Path) -> None:
    generated = run(installed / "granary", "account", "keys", cwd=tmp_path).splitlines()
    keys = {name: value.strip("'") for name, _, value in (line.partition("=") for line in generated)}
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    settings = {"GRANARY_CATALOG_DSN": nowhere, "GRANARY_ACCOUNTS_DSN": nowhere, "GRANARY_LIMITS_STORE": "memory://"}
    port = processes.free_ports(1)[0]
    log = tmp_path / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [installed / "gunicorn", "--bind", f"127.0.0.1:{port}", "serving.wsgi:app"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **keys, **settings},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10, trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        assert answer.status_code == 200, log.read_text()
    finally:
        server.terminate()
        server.wait(timeout=120)
