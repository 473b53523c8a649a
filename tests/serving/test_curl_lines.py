"""Every curl line that a page shows runs as it stands and is answered with success."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fixtures import scans
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.front_door_process import front_door_process
from tests.serving.serving_site import ServingSite
from tests.unit.catalog import synthetic

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine"),
]

PAGES = (
    "/",
    "/search?sequence=T1",
    f"/series/{synthetic.uid(1)}",
    "/download?query=withtumor_ax",
    "/download?shown_plane=axial",
    "/try",
    "/pipeline",
    "/api/v1/docs",
)
CREDENTIALS = {"email": "you@example.org", "password": "…"}
OWN = {"email": "curl@example.org", "password": "correct horse battery"}
FAILING = 'curl() { command curl --fail --show-error "$@"; }\n'
"""Without it curl takes an error of the server for an answer like any other."""


@pytest.fixture(scope="module")
def address(site: ServingSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("curl")
    settings = {
        "GRANARY_SERVING_DETECT_PROCESSES": "1",
        "GRANARY_SERVING_DETECT_WEIGHTS": str(scans.shipped(folder)),
    }
    with front_door_process(site, folder / "log", settings=settings) as running:
        ready = f"{running.address}/readyz"
        until(lambda: httpx.get(ready, timeout=PATIENCE_S, trust_env=False).is_success, "not ready")
        yield running.address


@pytest.fixture(scope="module")
def token(address: str) -> str:
    answer = httpx.post(f"{address}/authorization", json=OWN, timeout=PATIENCE_S, trust_env=False)
    found: str = answer.raise_for_status().json()["accessToken"]
    return found


def with_own_credentials(line: str) -> str:
    """The line with a real account where it shows that one belongs."""
    for name, placeholder in CREDENTIALS.items():
        line = line.replace(f'"{name}": "{placeholder}"', f'"{name}": "{OWN[name]}"')
    return line


@pytest.mark.parametrize("page", PAGES)
def test_curl_lines_of_a_page_run(address: str, token: str, page: str, tmp_path: Path) -> None:
    text = httpx.get(address + page, headers={"Accept": "text/html"}, timeout=PATIENCE_S, trust_env=False).text
    lines = [html.unescape(line) for line in re.findall(r"<code[^>]*>(curl [^<]*)</code>", text)]
    assert lines
    (tmp_path / "slice.png").write_bytes(scans.picture(scans.slices(1)[0]))
    for line in map(with_own_credentials, lines):
        ran = subprocess.run(
            ["bash", "-c", FAILING + line],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": token, "no_proxy": "*"},
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert ran.returncode == 0, f"{line}: {ran.stderr.decode()}"
        assert ran.stdout or any(item.name != "slice.png" for item in tmp_path.iterdir()), line
        for made in tmp_path.glob("*.zip"):
            made.unlink()  # -C - would go on where another line's download ended
