"""Everybody can use the pages: on a phone, in the dark, with a screen reader, without a script."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from braingranary.devstack.sample_head.headers import series_uid
from tests.browser import sample
from tests.browser.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.stack]
UID = series_uid(sample.LESION_T1CE)
PAGES = {
    "front": "/",
    "search": "/search?sequence=FLAIR",
    "series": f"/series/{UID}",
    "download": "/download?query=withtumor_ax",
    "try": "/try",
    "pipeline": "/pipeline",
    "problem": "/series/1.2.3",
}
AXE = Path(str(files("axe_playwright_python") / "axe.min.js"))
SERIOUS = {"serious", "critical"}
LOOKED_AT = {"light": tuple(PAGES), "dark": ("front", "series", "try")}
"""Pages by colour scheme: between them the dark ones show every colour there is."""


@pytest.fixture
def scriptless(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport=DESKTOP, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", LOOKED_AT)
def test_axe_finds_nothing_serious(chromium: Browser, site_url: str, scheme: str) -> None:
    # The rules are put into the page from outside, which its own policy rightly forbids: this context alone ignores it.
    context = chromium.new_context(
        viewport=DESKTOP, bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light"
    )
    context.add_init_script(path=AXE)
    page = context.new_page()
    found = []
    for name in LOOKED_AT[scheme]:
        page.goto(site_url + PAGES[name])
        answer = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [
            (name, rule["id"], node["html"][:200])
            for rule in answer["violations"]
            if rule["impact"] in SERIOUS
            for node in rule["nodes"]
        ]
    context.close()
    assert found == []


@pytest.mark.parametrize("width", [PHONE["width"], 320])
def test_phone_never_scrolls_sideways(chromium: Browser, site_url: str, width: int) -> None:
    context = chromium.new_context(viewport={**PHONE, "width": width}, has_touch=True, is_mobile=True)
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(site_url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.goto(f"{site_url}/search")
    expect(page.locator(".facets")).to_be_hidden()
    page.get_by_role("link", name="Filters", exact=True).click()
    expect(page.locator(".facets")).to_be_visible()
    context.close()


def test_pages_work_without_a_script(scriptless: Page, site_url: str) -> None:
    scriptless.goto(f"{site_url}/search")
    scriptless.locator("[name=q]").fill("tse")
    scriptless.get_by_role("button", name="Search", exact=True).click()
    assert scriptless.locator(".case").count() == 1
    scriptless.goto(f"{site_url}/search?limit=2")
    scriptless.locator("#more").click()
    assert scriptless.locator(".case").count() == 1
    scriptless.goto(f"{site_url}/series/{UID}?plane=coronal&slice=3")
    first = scriptless.locator("#shown").get_attribute("href")
    scriptless.get_by_role("link", name="Next").click()
    assert scriptless.locator("#number").inner_text() == "4"
    assert scriptless.locator("#shown").get_attribute("href") != first
    with scriptless.expect_download() as began:
        scriptless.locator("#download a[download]").click()
    assert Path(began.value.path()).stat().st_size > 100_000


def test_problems_are_told_as_a_page_to_a_browser_alone(scriptless: Page, site_url: str) -> None:
    answer = scriptless.goto(f"{site_url}/search?species=unicorn")
    assert answer is not None
    assert answer.status == 400
    assert "species" in scriptless.locator(".notice").inner_text()
    told = scriptless.request.get(f"{site_url}/search?species=unicorn", headers={"Accept": "*/*"})
    assert told.headers["content-type"] == "application/problem+json"
