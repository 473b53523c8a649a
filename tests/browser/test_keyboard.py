"""The pages by keyboard alone: everything can be reached, and the focus stays where a person expects it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from braingranary.devstack.sample_head.headers import series_uid
from tests.browser import sample

pytestmark = [pytest.mark.browser, pytest.mark.stack]
UID = series_uid(sample.LESION_T1CE)


def test_keyboard_alone_finds_looks_and_downloads(page: Page, site_url: str) -> None:
    page.goto(site_url)
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


def test_sort_goes_nowhere_until_the_search_is_asked_for(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/search")
    before = page.url
    tab_to(page, "sort")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        expect(page.locator("select[name=sort]")).to_be_focused()
    chosen = page.locator("select[name=sort]").input_value()
    assert chosen != "newest"
    page.keyboard.press("Tab")
    expect(page.locator("select[name=order]")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.wait_for_load_state("networkidle")
    assert page.url == before
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Search")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**sort={chosen}&order=asc**")
    expect(page.locator("select[name=sort]")).to_have_value(chosen)


def test_detect_keeps_the_focus_with_a_verdict_an_error_and_the_end_of_a_session(
    page: Page, site_url: str, tmp_path: Path
) -> None:
    slices = page.request.get(f"{site_url}/api/v1/series/{UID}/slices?plane=axial&limit=100").json()["slices"]
    scan, broken = tmp_path / "slice.jpg", tmp_path / "broken.png"
    scan.write_bytes(page.request.get(site_url + slices[45]["url"]).body())
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    troubled = page.context.new_page()  # Chromium tells of each refusal in the console, which `page` takes for a fault
    troubled.goto(f"{site_url}/try")

    tab_to(troubled, "email")
    troubled.keyboard.type("keys@example.org")
    troubled.keyboard.press("Tab")
    troubled.keyboard.type("three black heads")
    troubled.keyboard.press("Enter")
    expect(troubled.locator("#signed")).to_be_visible()
    expect(troubled.locator("#file")).to_be_focused()

    troubled.set_input_files("#file", scan)
    tab_to(troubled, "send")
    troubled.keyboard.press("Enter")
    expect(troubled.locator("#busy")).to_have_text("Looking …")
    expect(troubled.locator("#send")).to_be_focused()
    expect(troubled.locator("#verdict")).to_have_text("Tumor")
    expect(troubled.locator("#send")).to_be_focused()

    troubled.set_input_files("#file", broken)
    tab_to(troubled, "send")
    troubled.keyboard.press("Enter")
    expect(troubled.get_by_role("alert").filter(visible=True)).to_contain_text("cannot be read")
    expect(troubled.locator("#send")).to_be_focused()

    troubled.evaluate("localStorage.setItem('granary-token', 'ended')")
    troubled.keyboard.press("Enter")
    expect(troubled.get_by_role("alert").filter(visible=True)).to_contain_text("Sign in again")
    expect(troubled.get_by_label("E-mail")).to_be_focused()
    troubled.close()


def test_wrong_password_leaves_the_focus_in_the_password(page: Page, site_url: str) -> None:
    answer = page.request.post(
        f"{site_url}/authorization", data={"email": "wrong@example.org", "password": "three black heads"}
    )
    assert answer.ok
    other = page.context.new_page()  # see above
    other.goto(f"{site_url}/try")
    tab_to(other, "email")
    other.keyboard.type("wrong@example.org")
    other.keyboard.press("Tab")
    other.keyboard.type("four black heads")
    other.keyboard.press("Enter")
    expect(other.get_by_role("alert").filter(visible=True)).to_contain_text("password is wrong")
    expect(other.get_by_label("Password")).to_be_focused()
    other.close()


def test_sign_out_leaves_the_focus_on_the_sign_in_that_takes_its_place(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/try")
    page.get_by_label("E-mail").fill("leaving@example.org")
    page.get_by_label("Password").fill("three black heads")
    page.keyboard.press("Enter")
    expect(page.locator("#signed")).to_be_visible()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Sign in")).to_be_focused()


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
