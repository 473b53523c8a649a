"""The viewer: every way of moving moves the same slice, and what is told agrees with the catalogue."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from braingranary.devstack.sample_head.headers import series_uid
from tests.browser import sample
from tests.browser.conftest import PHONE

pytestmark = [pytest.mark.browser, pytest.mark.stack]
UID = series_uid(sample.LESION_T1CE)


@pytest.fixture
def viewer(page: Page, door: str) -> Page:
    page.goto(f"{door}/series/{UID}?plane=axial&slice=30")
    expect(page.locator("#keys")).to_be_visible()
    return page


def number(page: Page) -> int:
    return int(page.locator("#number").inner_text())


def test_wheel_keys_slider_strip_and_drag_move_one_slice(viewer: Page) -> None:
    assert number(viewer) == 30
    stage = viewer.locator("#stage")
    stage.hover()
    viewer.mouse.wheel(0, 120)
    expect(viewer.locator("#number")).to_have_text("33")
    viewer.keyboard.press("ArrowLeft")
    expect(viewer.locator("#number")).to_have_text("32")

    slider = viewer.get_by_role("slider", name="Slice")
    slider.focus()
    for key, told in [("End", 72), ("PageDown", 62), ("ArrowUp", 63), ("Home", 1), ("PageUp", 11)]:
        viewer.keyboard.press(key)
        assert number(viewer) == told, key
    assert str(slider.get_attribute("aria-valuetext")).startswith("Slice 11 of 72, ")

    strip = viewer.locator(".strip:visible")
    box = strip.bounding_box()
    assert box is not None
    viewer.mouse.click(box["x"] + box["width"] * 0.5 + 2, box["y"] + 5)
    assert number(viewer) == 37

    middle = stage.bounding_box()
    assert middle is not None
    x, y = middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2
    viewer.mouse.move(x, y)
    viewer.mouse.down()
    viewer.mouse.move(x, y - 60, steps=5)
    viewer.mouse.up()
    assert number(viewer) == 47


def test_slice_shows_its_own_picture_place_and_address(viewer: Page, door: str) -> None:
    slices = viewer.request.get(f"{door}/api/v1/series/{UID}/slices?plane=axial&limit=100").json()["slices"]
    viewer.keyboard.press("ArrowRight")
    expect(viewer.locator("#shown")).to_have_attribute("href", slices[30]["url"])
    position = slices[30]["position_mm"]
    assert viewer.locator("#place").inner_text() == f"{'S' if position >= 0 else 'I'} {abs(position):.1f} mm"
    expect(viewer.locator("#slice-curl")).to_contain_text(door + slices[30]["url"])
    viewer.wait_for_url("**plane=axial&slice=31")
    viewer.reload()
    assert number(viewer) == 31


def test_planes_keep_their_own_slice_and_name_their_sides(viewer: Page) -> None:
    viewer.get_by_role("link", name="Coronal").click()
    expect(viewer.get_by_role("status").first).to_contain_text("coronal, slice")
    assert viewer.locator("[data-edge=n]").inner_text() == "S"
    viewer.keyboard.press("3")
    assert viewer.locator("[data-edge=w]").inner_text() == "A"
    assert viewer.locator("a[aria-current=true]").inner_text() == "Sagittal"
    viewer.keyboard.press("1")
    assert number(viewer) == 30
    assert viewer.locator(".strip:visible").get_attribute("data-plane") == "axial"


def test_neighbours_are_there_before_they_are_asked_for(viewer: Page) -> None:
    viewer.wait_for_load_state("networkidle")
    asked: list[str] = []
    viewer.on("request", lambda request: asked.append(request.url))
    viewer.keyboard.press("ArrowRight")
    expect(viewer.locator("#number")).to_have_text("31")
    shown = str(viewer.locator("#shown").get_attribute("href"))
    assert not [url for url in asked if url.endswith(shown)]


def test_label_marks_lie_where_the_mask_says(viewer: Page, door: str) -> None:
    slices = viewer.request.get(f"{door}/api/v1/series/{UID}/slices?plane=axial&limit=100").json()["slices"]
    marked = [index for index, item in enumerate(slices) if item["tumor"]]
    mark = viewer.locator(".strip:visible .mark")
    assert mark.count() == 1
    assert float(str(mark.get_attribute("x"))) == marked[0]
    assert float(str(mark.get_attribute("width"))) == len(marked) > 10


def test_touch_drag_scrolls_slices_not_the_page(chromium: Browser, door: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    phone = context.new_page()
    phone.goto(f"{door}/series/{UID}?plane=axial&slice=30")
    phone.wait_for_load_state("networkidle")
    box = phone.locator("#stage").bounding_box()
    assert box is not None
    session = context.new_cdp_session(phone)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 6 * step}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(phone.locator("#number")).to_have_text("36")
    assert phone.evaluate("scrollY") == 0
    context.close()
