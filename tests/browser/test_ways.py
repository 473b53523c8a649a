"""The ways people go through the pages: a query to a zip, a search to a slice, a new account to an outline."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from PIL import Image
from playwright.sync_api import Download, Page, expect

from braingranary.devstack.sample_head.headers import series_uid
from tests.browser import sample
from tests.serving.serving_site import ServingSite

pytestmark = [pytest.mark.browser, pytest.mark.stack]
OUTLINE = (255, 176, 0)


def members(download: Download) -> list[str]:
    with zipfile.ZipFile(download.path()) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def jpegs(names: list[str]) -> int:
    return sum(name.endswith(".jpg") for name in names)


def outlined_pixels(page: Page, source: str) -> int:
    """Amber pixels of the picture at a blob: address, as the page itself has it."""
    encoded = page.evaluate(
        """async (address) => {
            const bytes = new Uint8Array(await (await new Promise((done, failed) => {
                const image = new Image();
                image.onload = () => {
                    const canvas = document.createElement("canvas");
                    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
                    canvas.getContext("2d").drawImage(image, 0, 0);
                    canvas.toBlob(done, "image/png");
                };
                image.onerror = failed;
                image.src = address;
            })).arrayBuffer());
            return Array.from(bytes);
        }""",
        source,
    )
    picture = np.asarray(Image.open(io.BytesIO(bytes(encoded))).convert("RGB"))
    return int((picture == OUTLINE).all(axis=2).sum())


def test_named_query_tells_size_and_licence_and_its_zip_arrives(page: Page, site_url: str) -> None:
    page.goto(site_url)
    options = page.locator("#query option").all_text_contents()
    assert [option.split(" (")[0].strip() for option in options][::3] == ["With tumour, axial", "Without tumour, axial"]
    page.select_option("#query", "withtumor_ax")
    told = page.locator("#told").inner_text()
    slices = int(told.split(" ")[0])
    assert told.endswith("slices of 2 series, 1 subject.")
    expect(page.locator("#line")).to_contain_text("/Images/withtumor_ax")

    page.get_by_role("button", name="Size and licence").click()
    expect(page.locator("#download")).to_contain_text(f"{slices} slices of 2 series, 1 subject")
    expect(page.locator("#download")).to_contain_text("MNI ICBM152")
    link = page.locator("#download a[download]")
    size = link.inner_text().removeprefix("Download ")
    with page.expect_download() as began:
        link.click()
    names = members(began.value)
    assert jpegs(names) == slices
    assert any(name.endswith("manifest.csv") for name in names)
    taken = Path(began.value.path()).stat().st_size
    assert size == f"{taken / 1000:.0f} kB"


def test_search_leads_to_a_slice_and_the_series_zip(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/search")
    expect(page.locator(".head")).to_contain_text("3 series")
    page.get_by_role("link", name=re.compile("^with tumour")).click()
    expect(page.locator(".head")).to_contain_text("2 series")
    sequences = page.locator(".facets details", has_text="Sequence").locator("li").all_inner_texts()
    assert len(sequences) == 2, "facets follow the other filters"
    page.get_by_role("searchbox").fill("dark-fluid")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".case")).to_have_count(1)
    assert page.url.endswith("tumor=true&q=dark-fluid&sort=newest&order=desc")
    curl = page.locator("#results code").inner_text()
    assert curl == f"curl -s '{site_url}/api/v1/series?tumor=true&q=dark-fluid&sort=newest&order=desc'"

    page.locator(".case a").click()
    page.wait_for_function("document.getElementById('shown').getBBox().width > 0")
    assert page.locator(".strip:visible .score").count() == 26, "two of the 28 slices were declined"
    with page.expect_download() as began:
        page.locator("#download a[download]").click()
    assert jpegs(members(began.value)) == 28


def test_more_series_appear_below_the_ones_before(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/search?limit=2")
    assert page.locator(".case").count() == 2
    page.locator("#more").click()
    expect(page.locator(".case")).to_have_count(3)
    assert len({link.get_attribute("href") for link in page.locator(".case a").all()}) == 3
    expect(page.locator("#more")).to_have_count(0)


def test_new_account_detects_a_slice_and_sees_its_outline(
    page: Page, site_url: str, sample_site: ServingSite, tmp_path: Path
) -> None:
    uid = series_uid(sample.LESION_T1CE)
    slices = page.request.get(f"{site_url}/api/v1/series/{uid}/slices?plane=axial&limit=100").json()["slices"]
    scan = tmp_path / "slice.jpg"
    scan.write_bytes(page.request.get(site_url + slices[45]["url"]).body())

    page.goto(f"{site_url}/try")
    page.set_input_files("#file", scan)
    expect(page.locator("#send")).to_be_disabled()
    page.get_by_label("E-mail").fill("reader@example.org")
    page.get_by_label("Password").fill("three black heads")
    page.get_by_role("button", name="Sign in or up").click()
    expect(page.locator("#signed")).to_have_text("Signed in as reader@example.org.")
    page.get_by_role("button", name="Detect", exact=True).click()
    expect(page.locator("#verdict")).to_have_text("Tumor")
    expect(page.locator("#details")).to_contain_text("Threshold")
    assert page.locator("#overlay").evaluate("image => image.decode().then(() => image.naturalWidth)") == 224
    assert outlined_pixels(page, str(page.locator("#overlay").get_attribute("src"))) > 20

    # A new tab is signed in as well. There a file that cannot be read leaves nothing of the one before; Chromium tells
    # of the refusal in the console of that tab.
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    other = page.context.new_page()
    other.goto(f"{site_url}/try")
    expect(other.locator("#signed")).to_have_text("Signed in as reader@example.org.")
    other.set_input_files("#file", scan)
    other.get_by_role("button", name="Detect", exact=True).click()
    expect(other.locator("#verdict")).to_have_text("Tumor")
    other.set_input_files("#file", broken)
    other.get_by_role("button", name="Detect", exact=True).click()
    expect(other.locator("#trouble")).to_contain_text("cannot be read")
    expect(other.locator("#overlay")).to_be_hidden()
    expect(other.locator("#result")).to_be_hidden()
    other.close()

    # The same tab is signed in for the viewer, where the outline is of the slice that is shown.
    page.goto(f"{site_url}/series/{uid}?plane=axial&slice=46")
    page.get_by_role("button", name="Lesion outline").click()
    expect(page.locator("#said")).to_contain_text("Tumor, probability")
    drawn = str(page.locator("#shown").get_attribute("href"))
    assert outlined_pixels(page, drawn) > 20
    page.get_by_role("button", name="Lesion outline").click()
    expect(page.locator("#shown")).to_have_attribute("href", slices[45]["url"])

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0


def test_outline_without_account_offers_to_sign_in(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/series/{series_uid(sample.LESION_FLAIR)}")
    page.get_by_role("button", name="Lesion outline").click()
    expect(page.locator("#said a")).to_have_attribute("href", "/try#account-form")


@pytest.fixture
def restricted(sample_site: ServingSite) -> Iterator[str]:
    """The healthy collection, restricted for the time of one test."""
    row = ("tcia", "Sample-Healthy", "hcp-open-access")
    with psycopg.connect(sample_site.dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO restricted_collection (archive, collection, terms) VALUES (%s, %s, %s)", row)
        yield "Sample-Healthy"
        connection.execute("DELETE FROM restricted_collection WHERE collection = 'Sample-Healthy'")


def test_restricted_series_is_seen_and_taken_by_who_accepted_its_terms(
    page: Page, site_url: str, restricted: str
) -> None:
    address = f"{site_url}/series/{series_uid(sample.HEALTHY_T2)}"
    page.goto(address)
    expect(page.locator("#said")).to_contain_text("need accepted terms of use")
    assert page.locator("#shown").get_attribute("href") is None

    page.goto(f"{site_url}/try")
    page.get_by_label("E-mail").fill("careful@example.org")
    page.get_by_label("Password").fill("three black heads")
    page.get_by_role("button", name="Sign in or up").click()
    expect(page.locator("#signed")).to_be_visible()
    page.goto(f"{site_url}/download?collection={restricted}")
    expect(page.locator("#terms a[rel=external]")).to_contain_text("HCP")
    page.get_by_role("button", name="I have read and accept them").press("Enter")
    expect(page.get_by_role("button", name="Download with my account")).to_be_focused()
    with page.expect_download() as began:
        page.get_by_role("button", name="Download with my account").click()
    assert jpegs(members(began.value)) == 28

    page.goto(address)
    expect(page.locator("#shown")).to_have_attribute("href", re.compile("^blob:"))


@pytest.mark.realdata
def test_real_slice_is_answered_with_its_picture(page: Page, site_url: str, real_data: Path, tmp_path: Path) -> None:
    patient = min(folder for folder in (real_data / "slices" / "lgg").iterdir() if folder.is_dir())
    slices = sorted(patient.glob("*[0-9].webp"))
    scan = slices[len(slices) // 2]
    picture = tmp_path / "scan.png"
    Image.open(scan).getchannel(1).save(picture)
    page.goto(f"{site_url}/try")
    page.get_by_label("E-mail").fill("other@example.org")
    page.get_by_label("Password").fill("three black heads")
    page.get_by_role("button", name="Sign in or up").click()
    page.set_input_files("#file", picture)
    page.get_by_role("button", name="Detect", exact=True).click()
    expect(page.locator("#verdict")).to_have_text(re.compile("^(Tumor|No Tumor)$"))
    width = page.locator("#overlay").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert width == Image.open(picture).width
