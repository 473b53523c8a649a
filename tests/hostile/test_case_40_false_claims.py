"""Case 40: a source that tells no licence, DOI, date, sex or age. What is unknown stays so in every answer and file."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient

from braingranary.settings import StoreSettings
from tests.browser import sample
from tests.fixtures.archive import add_series, override

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

HEAD = {"slices": 6, "rows": 48, "columns": 48}
NOTHING_TOLD = {"StudyDate": None, "SeriesDate": None}
UNTOLD = re.compile("licen[sc]e|citation|doi|series_date|study_date|^sex$|age_years")
"""Names of fields that only a source can fill in."""
INVENTED = re.compile(r"creativecommons|CC[ -]BY|doi\.org|10\.\d{4}/|apache|public domain", re.IGNORECASE)
TOLD = {
    "LicenseName": "CC0 1.0",
    "LicenseURI": "https://example.org/cc0",
    "DataDescriptionURI": "https://example.org/x",
}
BROWSER = {"Accept": "text/html"}


@pytest.fixture
def series(tmp_path: Path) -> tuple[str, str]:
    """UIDs of a series whose folder says nothing, and of one whose folder names a licence."""
    silent = add_series(tmp_path, 1, collection="Silent", header=NOTHING_TOLD, **HEAD)
    spoken = add_series(tmp_path, 2, collection="Spoken", header=NOTHING_TOLD, **HEAD)
    override(tmp_path, "Spoken", **TOLD)
    return silent, spoken


@pytest.fixture
def client(
    series: tuple[str, str], postgres_dsn: str, s3_settings: StoreSettings, tmp_path: Path
) -> Iterator[FlaskClient]:
    assert series
    app = sample.fill_from_folder(tmp_path, postgres_dsn, s3_settings).app()
    with app.test_client() as client:
        yield client
    app.extensions["granary"].close()


def claims(answer: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Fields of a JSON answer, at any depth, that only a source can fill in, where they say something."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield from claims(value, key)
    elif isinstance(answer, list):
        for value in answer:
            yield from claims(value, name)
    elif UNTOLD.search(name) and answer not in (None, ""):
        yield name, answer


def test_case_40_what_no_source_tells_is_unknown_everywhere(client: FlaskClient, series: tuple[str, str]) -> None:
    silent, _ = series
    [collection] = (
        item for item in client.get("/api/v1/collections").get_json()["collections"] if item["name"] == "Silent"
    )
    answers = (
        "/api/v1/series?collection=Silent",
        f"/api/v1/series/{silent}",
        f"/api/v1/series/{silent}/sidecar",
        f"/api/v1/series/{silent}/lineage",
        f"/api/v1/series/{silent}/slices",
        collection["url"],
        "/api/v1/studies?collection=Silent",
        "/api/v1/subjects?collection=Silent",
        "/api/v1/downloads?collection=Silent",
    )
    inventions: list[tuple[str, ...]] = []
    images = [item for item in client.get("/ImageList").get_json()["images"] if item["series_uid"] == silent]
    assert images
    inventions += [("/ImageList", *claim) for claim in claims(images)]
    for address in answers:
        answer = client.get(address)
        assert answer.status_code == 200, address
        inventions += [(address, *claim) for claim in claims(answer.get_json())]
        inventions += [(address, found) for found in INVENTED.findall(answer.text)]
    pages = (f"/series/{silent}", "/download?collection=Silent", "/search?collection=Silent", f"/download?uid={silent}")
    for address in pages:
        page = client.get(address, headers=BROWSER)
        assert page.status_code == 200, address
        inventions += [(address, found) for found in INVENTED.findall(page.text)]
    with zipfile.ZipFile(io.BytesIO(client.get("/api/v1/downloads.zip?collection=Silent").data)) as archive:
        documents = {name: archive.read(name).decode() for name in archive.namelist() if not name.endswith(".jpg")}
    inventions += [(name, found) for name, text in documents.items() for found in INVENTED.findall(text)]
    for line in csv.DictReader(io.StringIO(documents["manifest.csv"])):
        inventions += [("manifest.csv", *claim) for claim in claims(dict(line))]
    inventions += [("CITATION.cff", *claim) for claim in claims(yaml.safe_load(documents["CITATION.cff"]))]
    assert inventions == []
    print(f"case 40 false claims: inventions=0 answers={len(answers) + 1} pages={len(pages)} files={len(documents)}")


def test_case_40_what_a_source_tells_of_one_collection_is_said_of_that_one_alone(
    client: FlaskClient, series: tuple[str, str]
) -> None:
    _, spoken = series
    told = client.get(f"/api/v1/series/{spoken}").get_json()
    assert set(claims(told)) == {
        ("license_name", TOLD["LicenseName"]),
        ("license_url", TOLD["LicenseURI"]),
        ("citation_url", TOLD["DataDescriptionURI"]),
    }
    plan = client.get("/api/v1/downloads").get_json()
    assert {item["collections"][0]: (item["name"], item["url"]) for item in plan["licenses"]} == {
        "Silent": (None, None),
        "Spoken": (TOLD["LicenseName"], TOLD["LicenseURI"]),
    }
    page = client.get("/download?collection=Silent", headers=BROWSER).text
    assert "No licence stated by the archive" in page
