"""Everybody can use the pages: by keyboard alone, on a phone, in the dark, with a screen reader, without a script."""

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
def test_axe_finds_nothing_serious(chromium: Browser, door: str, scheme: str) -> None:
    # The rules are put into the page from outside, which its own policy rightly forbids: this context alone ignores it.
    context = chromium.new_context(
        viewport=DESKTOP, bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light"
    )
    context.add_init_script(path=AXE)
    page = context.new_page()
    found = []
    for name in LOOKED_AT[scheme]:
        page.goto(door + PAGES[name])
        answer = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [
            (name, rule["id"], node["html"][:200])
            for rule in answer["violations"]
            if rule["impact"] in SERIOUS
            for node in rule["nodes"]
        ]
    context.close()
    assert found == []


def test_phone_never_scrolls_sideways(chromium: Browser, door: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(door + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
    page.goto(f"{door}/search")
    expect(page.locator(".facets")).to_be_hidden()
    page.get_by_role("link", name="Filters", exact=True).click()
    expect(page.locator(".facets")).to_be_visible()
    context.close()


def test_keyboard_alone_finds_looks_and_downloads(page: Page, door: str) -> None:
    page.goto(door)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    tab_to(page, "q")
    page.keyboard.type("mprage")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=mprage")
    tab_to_text(page, "T1CE axial")
    page.keyboard.press("Enter")
    page.wait_for_url("**/series/**")
    tab_to_text(page, "Coronal")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("coronal")
    tab_to(page, "slider")
    page.keyboard.press("Home")
    expect(page.locator("#number")).to_have_text("1")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#number")).to_have_text("2")
    tab_to_text(page, "Copy")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#slice-curl").inner_text()
    tab_to_text(page, "Download")
    with page.expect_download() as began:
        page.keyboard.press("Enter")
    assert began.value.suggested_filename.endswith(".zip")


def test_pages_work_without_a_script(scriptless: Page, door: str) -> None:
    scriptless.goto(f"{door}/search")
    scriptless.locator("[name=q]").fill("tse")
    scriptless.get_by_role("button", name="Search", exact=True).click()
    assert scriptless.locator(".case").count() == 1
    scriptless.goto(f"{door}/search?limit=2")
    scriptless.locator("#more").click()
    assert scriptless.locator(".case").count() == 1
    scriptless.goto(f"{door}/series/{UID}?plane=coronal&slice=3")
    first = scriptless.locator("#shown").get_attribute("href")
    scriptless.get_by_role("link", name="Next").click()
    assert scriptless.locator("#number").inner_text() == "4"
    assert scriptless.locator("#shown").get_attribute("href") != first
    with scriptless.expect_download() as began:
        scriptless.locator("#download a[download]").click()
    assert Path(began.value.path()).stat().st_size > 100_000


def test_problems_are_told_as_a_page_to_a_browser_alone(scriptless: Page, door: str) -> None:
    answer = scriptless.goto(f"{door}/search?species=unicorn")
    assert answer is not None
    assert answer.status == 400
    assert "species" in scriptless.locator(".notice").inner_text()
    told = scriptless.request.get(f"{door}/search?species=unicorn", headers={"Accept": "*/*"})
    assert told.headers["content-type"] == "application/problem+json"


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the field with this id or name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("[document.activeElement.id, document.activeElement.name]").count(wanted):
            return
    raise AssertionError(f"no Tab leads to {wanted}")


def tab_to_text(page: Page, wanted: str) -> None:
    """Press Tab until a link or button with this text has the focus."""
    for _ in range(90):
        page.keyboard.press("Tab")
        tag, text = page.evaluate("[document.activeElement.tagName, document.activeElement.innerText || '']")
        if tag in {"A", "BUTTON"} and wanted in text:
            return
    raise AssertionError(f"no Tab leads to {wanted}")
