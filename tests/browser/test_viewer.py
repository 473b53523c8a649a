"""The viewer: every way of moving moves the same slice, and what is told agrees with the catalogue."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Page, expect

from braingranary.devstack.sample_head.headers import series_uid
from tests.browser import sample
from tests.browser.conftest import PHONE

pytestmark = [pytest.mark.browser, pytest.mark.stack]
UID = series_uid(sample.LESION_T1CE)
WATCH = """() => {
  window.seen = [];
  const text = (id) => document.getElementById(id).textContent;
  const look = () => {
    const shown = document.getElementById("shown").getAttribute("href").match(/-(\\d+)\\.jpg/);
    const asked = Number(document.getElementById("slider").value) - 1;
    window.seen.push([Number(shown[1]), text("number"), text("place"), text("verdict"), asked]);
    requestAnimationFrame(look);
  };
  look();
}"""
"""Keeps, for every frame, the index of the slice whose picture is shown, what is said of it, and the one asked for."""


@pytest.fixture
def viewer(page: Page, site_url: str) -> Page:
    page.goto(f"{site_url}/series/{UID}?plane=axial&slice=30")
    expect(page.locator("#keys")).to_be_visible()
    return page


def test_wheel_keys_slider_strip_and_drag_move_one_slice(viewer: Page) -> None:
    expect(viewer.locator("#number")).to_have_text("30")
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
        expect(viewer.locator("#number")).to_have_text(str(told))
    assert str(slider.get_attribute("aria-valuetext")).startswith("Slice 11 of 72, ")

    strip = viewer.locator(".strip:visible")
    box = strip.bounding_box()
    assert box is not None
    viewer.mouse.click(box["x"] + box["width"] * 0.5 + 2, box["y"] + 5)
    expect(viewer.locator("#number")).to_have_text("37")

    middle = stage.bounding_box()
    assert middle is not None
    x, y = middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2
    viewer.mouse.move(x, y)
    viewer.mouse.down()
    viewer.mouse.move(x, y - 60, steps=5)
    viewer.mouse.up()
    expect(viewer.locator("#number")).to_have_text("47")


def test_slice_shows_its_own_picture_place_and_address(viewer: Page, site_url: str) -> None:
    slices = viewer.request.get(f"{site_url}/api/v1/series/{UID}/slices?plane=axial&limit=100").json()["slices"]
    viewer.keyboard.press("ArrowRight")
    expect(viewer.locator("#shown")).to_have_attribute("href", slices[30]["url"])
    position = slices[30]["position_mm"]
    assert viewer.locator("#place").inner_text() == f"{'S' if position >= 0 else 'I'} {abs(position):.1f} mm"
    expect(viewer.locator("#slice-curl")).to_contain_text(site_url + slices[30]["url"])
    viewer.wait_for_url("**plane=axial&slice=31")
    viewer.reload()
    expect(viewer.locator("#number")).to_have_text("31")


def test_planes_keep_their_own_slice_and_name_their_sides(viewer: Page) -> None:
    viewer.get_by_role("link", name="Coronal").click()
    expect(viewer.get_by_role("status").first).to_contain_text("coronal, slice")
    expect(viewer.locator("[data-edge=n]")).to_have_text("S")
    viewer.keyboard.press("3")
    expect(viewer.locator("[data-edge=w]")).to_have_text("A")
    assert viewer.locator("a[aria-current=true]").inner_text() == "Sagittal"
    viewer.keyboard.press("1")
    expect(viewer.locator("#number")).to_have_text("30")
    assert viewer.locator(".strip:visible").get_attribute("data-plane") == "axial"


def test_neighbours_are_there_before_they_are_asked_for(viewer: Page) -> None:
    viewer.wait_for_load_state("networkidle")
    asked: list[str] = []
    viewer.on("request", lambda request: asked.append(request.url))
    viewer.keyboard.press("ArrowRight")
    expect(viewer.locator("#number")).to_have_text("31")
    shown = str(viewer.locator("#shown").get_attribute("href"))
    assert not [url for url in asked if url.endswith(shown)]


def test_label_marks_lie_where_the_mask_says(viewer: Page, site_url: str) -> None:
    slices = viewer.request.get(f"{site_url}/api/v1/series/{UID}/slices?plane=axial&limit=100").json()["slices"]
    marked = [index for index, item in enumerate(slices) if item["tumor"]]
    mark = viewer.locator(".strip:visible .mark")
    assert mark.count() == 1
    assert float(str(mark.get_attribute("x"))) == marked[0]
    assert float(str(mark.get_attribute("width"))) == len(marked) > 10


@pytest.mark.parametrize(("bits_s", "latency_ms"), [(4_000_000, 120), (400_000, 500)])
def test_number_position_and_score_are_always_those_of_the_picture_on_a_slow_link(
    chromium: Browser, site_url: str, bits_s: int, latency_ms: int
) -> None:
    context = chromium.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{site_url}/series/{UID}?plane=axial&slice=5")
    expect(page.locator("#keys")).to_be_visible()
    page.wait_for_load_state("networkidle")
    bytes_s = bits_s // 8
    link = {"offline": False, "latency": latency_ms, "downloadThroughput": bytes_s, "uploadThroughput": bytes_s}
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", link)
    page.evaluate(WATCH)
    page.locator("#stage").hover()
    for _ in range(50):
        page.mouse.wheel(0, 40)
        page.wait_for_timeout(40)
    expect(page.locator("#number")).to_have_text("55")
    seen = page.evaluate("window.seen")
    slices = page.request.get(f"{site_url}/api/v1/series/{UID}/slices?plane=axial&limit=100").json()["slices"]
    scores = json.loads(page.locator("#tracks").inner_text())["tracks"][0]["scores"]
    context.close()
    assert len(seen) > 50
    if latency_ms > 120:  # at 120 ms the neighbours that are fetched ahead are always there in time
        assert any(asked != index for index, *_, asked in seen)
    for index, number, place, verdict, _ in seen:
        position = slices[index]["position_mm"]
        assert (number, place) == (str(index + 1), f"{'S' if position >= 0 else 'I'} {abs(position):.1f} mm")
        score, label = scores[index], slices[index]["tumor"]
        assert verdict.split(" · ") == [
            *([] if score is None else [f"score {score:.2f}"]),
            *([] if label is None else ["labelled tumour" if label else "labelled free of tumour"]),
        ] or (verdict == "" and score is None and label is None)


def test_touch_drag_across_moves_slices_and_drag_up_scrolls_the_page(chromium: Browser, site_url: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    phone = context.new_page()
    phone.goto(f"{site_url}/series/{UID}?plane=axial&slice=30")
    phone.wait_for_load_state("networkidle")
    box = phone.locator("#stage").bounding_box()
    assert box is not None
    session = context.new_cdp_session(phone)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + 6 * step, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(phone.locator("#number")).to_have_text("36")
    assert phone.evaluate("scrollY") == 0
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 12):
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 12 * step}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.wait_for_function("scrollY > 50")
    context.close()
