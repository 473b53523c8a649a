"""The pictures of the README, made anew: `python -m tests.browser.screenshots [folder]`.

Everything shown is the built-in sample, scored by the model that comes with the library. Takes a few minutes: all of
it is cut, normalized, loaded and scored, slice by slice on one core. Pictures are reduced to 256 colours, which
keeps each of them well under `BYTES_MAX`.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from braingranary.devstack.sample_head import build
from braingranary.devstack.sample_head.headers import series_uid
from tests.browser import sample, scored
from tests.browser.conftest import CHROMIUM, PATIENCE_MS
from tests.serving.front_door_process import ROOT, front_door_process

WIDTH, HEIGHT = 1280, 840
BYTES_MAX = 300_000
DEFAULT = ROOT / "docs" / "images"
SLICE = 47


def keep(page: Page, target: Path) -> None:
    """What the page shows now, as a small PNG."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    if target.stat().st_size > BYTES_MAX:
        raise SystemExit(f"{target.name} takes {target.stat().st_size} bytes")


def shoot(page: Page, site_url: str, folder: Path, scratch: Path) -> None:
    """Every picture, in the order of a visit."""
    uid = series_uid(sample.LESION_T1CE)
    for name, path in [("front", "/"), ("search", "/search"), ("pipeline", "/pipeline")]:
        page.goto(site_url + path)
        keep(page, folder / f"{name}.png")
    page.goto(f"{site_url}/series/{uid}?plane=axial&slice={SLICE}")
    keep(page, folder / "viewer.png")
    detector_page(page, site_url, folder, scratch)


def detector_page(page: Page, site_url: str, folder: Path, scratch: Path) -> None:
    """A slice of the sample, looked at by the detector for a new account."""
    page.goto(f"{site_url}/series/{series_uid(sample.LESION_T1CE)}?plane=axial&slice={SLICE}")
    scan = scratch / "slice.jpg"
    scan.write_bytes(page.request.get(site_url + str(page.locator("#shown").get_attribute("href"))).body())
    page.goto(f"{site_url}/try")
    page.get_by_label("E-mail").fill("reader@example.org")
    page.get_by_label("Password").fill("three black heads")
    page.get_by_role("button", name="Sign in or up").click()
    page.set_input_files("#file", scan)
    page.get_by_role("button", name="Detect", exact=True).click()
    expect(page.locator("#result")).to_be_visible()
    page.locator("#overlay").evaluate("image => image.decode()")
    keep(page, folder / "detect.png")


def main() -> None:
    """Fill a catalogue with the sample, start a front door over it and look at its pages."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        build(scratch / "dicom")
        with sample.own_servers(scratch / "state") as (dsn, objects), sync_playwright() as play:
            expect.set_options(timeout=PATIENCE_MS)
            site = sample.fill_from_folder(scratch / "dicom", dsn, objects.settings(bucket="sample"))
            model = scored.shipped_or_made(scratch / "weights")
            scored.score(site, model)
            browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            settings = {"GRANARY_SERVING_DETECT_PROCESSES": "1", "GRANARY_SERVING_DETECT_WEIGHTS": str(model)}
            with front_door_process(site, scratch / "log", settings=settings) as running:
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                page.set_default_timeout(PATIENCE_MS)
                shoot(page, running.address, folder, scratch)
            browser.close()


if __name__ == "__main__":
    main()
