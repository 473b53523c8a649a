"""Chromium, and one front door over a part of the built-in sample, for all tests in a browser."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from braingranary.detector.model import weights
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from tests.browser import sample, scored
from tests.serving.front_door_process import front_door_process
from tests.serving.serving_site import ServingSite

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PATIENCE_MS = 180_000  # how long a busy machine may take; nobody waits for it where all is well
PHONE: ViewportSize = {"width": 390, "height": 780}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium; every test opens pages of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as play:
        expect.set_options(timeout=PATIENCE_MS)
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sample_site(
    postgres_server: PostgresServer, object_server: ObjectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServingSite]:
    """Three series of the sample: two of a subject with a lesion, with masks, one of a healthy one."""
    database = Database(name=f"browser_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    folder = tmp_path_factory.mktemp("sample")
    sample.write_series(folder, (sample.LESION_T1CE, sample.LESION_FLAIR, sample.HEALTHY_T2))
    yield sample.fill_from_folder(
        folder, postgres_server.dsn(database), object_server.settings(bucket=f"sample-{secrets.token_hex(6)}")
    )
    postgres_server.drop_database(database)


@pytest.fixture(scope="session")
def site_url(sample_site: ServingSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a front door that can detect; everything in the catalogue is scored."""
    folder = tmp_path_factory.mktemp("front-door")
    model = scored.shipped_or_made(folder / "weights")
    scored.put_scores(sample_site, weights.load_shipped(model))
    settings = {"GRANARY_SERVING_DETECT_WEIGHTS": str(model), "GRANARY_SERVING_DETECT_PROCESSES": "1"}
    with front_door_process(sample_site, folder / "log", settings=settings) as running:
        yield running.address


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a context of its own; whatever the console or the network complains of fails the test."""
    troubles: list[str] = []
    context = chromium.new_context(viewport=DESKTOP, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda message: troubles.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    context.close()
    assert troubles == []
