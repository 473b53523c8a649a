"""The front page in Chromium: it shows what is there, works by keyboard and fills a phone without a sideways scroll."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.serving.conftest import house
from tests.serving.house import House
from tests.serving.live import gunicorn

__all__ = ["house"]
pytestmark = [pytest.mark.browser, pytest.mark.stack]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_front_page_shows_thumbnails_and_follows_the_choice(house: House, browser: Browser, tmp_path: Path) -> None:
    troubles: list[str] = []
    with gunicorn(house, tmp_path / "log") as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        # Chromium tells a navigation that became a download as failed; the download itself is looked at below.
        page.on("requestfailed", lambda request: None if "/Images/" in request.url else troubles.append(request.url))
        page.goto(address)
        assert page.locator("h1").is_visible()
        options = page.locator("#query option").all_text_contents()
        assert options[0].strip() == "With tumour, axial (10)"
        assert len(options) == 6

        images = page.locator(".grid img")
        assert images.count() == 7
        images.last.scroll_into_view_if_needed()
        page.wait_for_function("[...document.querySelectorAll('.grid img')].every(i => i.complete && i.naturalWidth)")

        page.select_option("#query", "notumor_cor")
        assert page.locator("#told").text_content() == "6 slices of 1 series, 1 subject."
        assert page.locator("#line").text_content() == "/Images/notumor_cor"
        with page.expect_download() as download:
            page.locator("button[type=submit]").click()
        assert download.value.suggested_filename == "notumor_cor.zip"
        with zipfile.ZipFile(download.value.path()) as archive:
            assert len(archive.namelist()) == 6

        page.keyboard.press("Home")
        page.reload()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"

        page.set_viewport_size({"width": 360, "height": 780})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.close()
    assert troubles == []
