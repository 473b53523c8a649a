"""What is in a downloaded zip: slices, a manifest a true manifest, licences and citations; and its ETag."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
import yaml
from flask.testing import FlaskClient

from braingranary.catalog.load.transaction import raise_catalogue_state
from braingranary.catalog.read.splits import split_of
from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.errors import Code, TransientFailure
from serving.downloads import manifest
from serving.downloads import plan as download_plan
from serving.downloads.response import PLANNING_TURNS
from tests.serving.own_site import own_site, planned, reading
from tests.serving.serving_site import SLICES, ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def own(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[ServingSite]:
    with own_site(postgres_server, object_server, numbers=range(3)) as site:
        yield site


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def lines(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.TextIOWrapper(archive.open("manifest.csv"), "utf-8", newline="")))


def test_download_of_a_filter_holds_every_slice_of_the_series_and_a_line_for_each(
    client: FlaskClient, site: ServingSite
) -> None:
    answer = client.get("/api/v1/downloads.zip?collection=Set-1&shown_plane=coronal")
    assert (answer.status_code, int(answer.headers["Content-Length"])) == (200, len(answer.data))
    archive = opened(answer.data)
    names = archive.namelist()
    assert (names[:2], names[-1]) == (["LICENSE.txt", "CITATION.cff"], "manifest.csv")
    told = lines(archive)
    assert [line["path"] for line in told] == names[2:-1]
    assert {line["series_uid"] for line in told} == {synthetic.uid(1), synthetic.uid(4)}
    for line in told:
        assert archive.read(line["path"]) == site.jpegs[line["series_uid"], "coronal"][int(line["slice"])]
        assert line["split"] == split_of(line["subject"])


def test_manifest_tells_what_the_catalogue_knows(client: FlaskClient) -> None:
    told = lines(opened(client.get(f"/api/v1/downloads.zip?uid={synthetic.uid(0)}&shown_plane=axial").data))
    assert told[2] == {
        "path": f"Set-0/P-0/{synthetic.uid(0)}/000-axial-0002.jpg",
        "series_uid": synthetic.uid(0),
        "subject": "P-0",
        "collection": "Set-0",
        "archive": "tcia",
        "plane": "axial",
        "volume": "0",
        "slice": "0002",
        "position_mm": "-000047.600",
        "pixel_width_mm": "0.9375",
        "pixel_height_mm": "0.9375",
        "slice_spacing_mm": "1.2",
        "sequence": "T1",
        "manufacturer": "SIEMENS",
        "manufacturer_model": "Model",
        "field_strength_tesla": "1.5",
        "label": "tumor",
        "label_source": "collection",
        "license_name": "CC BY 4.0",
        "license_url": "https://creativecommons.org/licenses/by/4.0/",
        "citation_url": "",
        "source_url": "",
        "raw_sha256": synthetic.SHA,
        "profile": synthetic.PROFILE,
        "split": str(split_of("P-0")),
    }


def test_manifest_labels_are_those_of_the_slice_before_those_of_its_series(client: FlaskClient) -> None:
    told = lines(opened(client.get(f"/api/v1/downloads.zip?uid={synthetic.uid(1)}").data))
    labels = Counter((line["plane"], line["label"], line["label_source"]) for line in told)
    assert labels == {
        ("axial", "no_tumor", "mask"): 2,
        ("axial", "tumor", "mask"): SLICES - 2,
        ("coronal", "tumor", "collection"): SLICES,
        ("sagittal", "tumor", "collection"): SLICES,
    }


def test_named_query_takes_single_slices_of_a_pack_and_tells_why(client: FlaskClient) -> None:
    told = lines(opened(client.get("/Images/notumor_ax").data))
    by_mask = [line for line in told if line["series_uid"] == synthetic.uid(1)]
    assert [(line["slice"], line["label"], line["label_source"]) for line in by_mask] == [
        ("0000", "no_tumor", "mask"),
        ("0001", "no_tumor", "mask"),
    ]
    assert {line["label_source"] for line in told if line["series_uid"] == synthetic.uid(2)} == {"reader"}


def test_filters_narrow_a_named_query(client: FlaskClient) -> None:
    def paths(parameters: str) -> set[str]:
        return {line["path"] for line in lines(opened(client.get(f"/api/v1/downloads.zip?{parameters}").data))}

    whole, narrowed = paths("query=withtumor_ax"), paths("query=withtumor_ax&collection=Set-1")
    assert narrowed == {path for path in whole if path.startswith("Set-1/")}
    assert len(whole) > len(narrowed) == SLICES - 2
    assert paths("query=withtumor_ax&shown_plane=coronal") == set()


def test_plan_tells_before_the_click_what_the_download_will_be(client: FlaskClient) -> None:
    plan = client.get("/api/v1/downloads?collection=Set-1").get_json()
    whole = client.get(plan["url"])
    assert plan["bytes"] == len(whole.data)
    assert whole.headers["ETag"] == f'"{plan["etag"]}"'
    assert (plan["slices"], plan["packs"], plan["series"], plan["subjects"]) == (2 * 3 * SLICES, 6, 2, 1)
    assert plan["licenses"] == [
        {
            "name": "CC BY 4.0",
            "url": "https://creativecommons.org/licenses/by/4.0/",
            "collections": ["Set-1"],
        }
    ]
    assert (plan["needs_terms"], plan["omitted"]) == ([], [])
    assert plan["curl"].endswith("'http://localhost/api/v1/downloads.zip?collection=Set-1'")


def test_download_of_nothing_is_a_zip_that_says_so(client: FlaskClient) -> None:
    archive = opened(client.get("/api/v1/downloads.zip?collection=Nowhere").data)
    assert archive.namelist() == ["LICENSE.txt", "CITATION.cff", "manifest.csv"]
    assert archive.read("manifest.csv") == manifest.HEADER


@pytest.mark.parametrize(
    ("parameters", "named"),
    [("query=everything", "query"), ("order=asc", "order"), ("restricted=maybe", "restricted")],
)
def test_download_of_nonsense_is_refused_by_name(client: FlaskClient, parameters: str, named: str) -> None:
    answer = client.get(f"/api/v1/downloads.zip?{parameters}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "request_invalid")
    assert named in answer.text


def test_licences_and_citations_are_quoted_and_stay_on_their_lines(own: ServingSite) -> None:
    text = {"name": 'Evil"\nname: x', "license": "Own\nlicence", "citation": "https://doi.org/10.7937/a?b=%20c"}
    with psycopg.connect(own.dsn, autocommit=True) as connection:
        connection.execute("UPDATE collection SET name = %(name)s WHERE name = 'Set-1'", text)
        connection.execute(
            "UPDATE series SET license_name = %(license)s, citation_url = %(citation)s WHERE series_uid = %(uid)s",
            {**text, "uid": synthetic.uid(1)},
        )
    with created(own) as client:
        archive = opened(client.get("/api/v1/downloads.zip").data)
    license_text = archive.read("LICENSE.txt").decode()
    assert "\nCC BY 4.0\n  https://creativecommons.org/licenses/by/4.0/\n  Collections:\n    Set-0\n" in license_text
    assert '\nOwn licence\n  https://creativecommons.org/licenses/by/4.0/\n  Collections:\n    Evil" name: x\n' in (
        license_text
    )
    citation = yaml.safe_load(archive.read("CITATION.cff"))
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "dataset")
    assert [item["title"] for item in citation["references"]] == ['Evil" name: x', "Set-0", "Set-2"]
    assert citation["references"][0]["url"] == text["citation"]
    told = [line for line in lines(archive) if line["series_uid"] == synthetic.uid(1)]
    assert {line["collection"] for line in told} == {text["name"]}
    assert {line["citation_url"] for line in told} == {text["citation"]}
    assert all(line["path"].startswith("Evil-name-x~") for line in told)


@pytest.mark.parametrize("name", ["manifest.csv", "LICENSE.TXT", "Citation.cff"])
def test_collection_named_like_a_document_gets_a_folder_beside_it(name: str) -> None:
    assert manifest.folder(name) == f"{name}~"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        (" =1", "' =1"),
        ('=HYPERLINK("a","b")', '"\'=HYPERLINK(""a"",""b"")"'),
        ("\r=1", '"\'\r=1"'),
        ("3T Prisma", "3T Prisma"),
        (None, ""),
    ],
)
def test_manifest_cell_is_never_a_formula(text: str | None, cell: str) -> None:
    assert manifest.cell(text) == cell


def test_etag_follows_the_content_and_nothing_else(own: ServingSite) -> None:
    def etag() -> str:
        with planned(own.dsn) as (plan, _):
            return plan.etag

    before = etag()
    assert etag() == before
    changes = (
        ("UPDATE series SET manufacturer_model = %s", "Other", "Model"),
        ("UPDATE label SET source = %s WHERE source IN ('mask', 'reader') AND slice_index = 3", "reader", "mask"),
        ("UPDATE series SET license_url = %s", "https://example.org/", "https://creativecommons.org/licenses/by/4.0/"),
        ("UPDATE pack SET sha256 = reverse(sha256) WHERE %s <> ''", "there", "back"),
    )
    with psycopg.connect(own.dsn, autocommit=True) as connection:
        for text, there, back in changes:
            for value, same in ((there, False), (back, True)):
                connection.execute(text, (value,))
                raise_catalogue_state(connection)
                assert (etag() == before) is same, text


def test_pack_replaced_between_plan_and_slices_ends_the_download(own: ServingSite) -> None:
    with planned(own.dsn) as (plan, connection), reading(plan, own.store, connection) as reader:
        connection.execute("UPDATE pack SET sha256 = reverse(sha256) WHERE plane = 'axial'")
        try:
            with pytest.raises(TransientFailure) as told:
                list(reader.stream(0, plan.length))
            assert told.value.code is Code.CATALOG_CHANGED
        finally:
            connection.execute("UPDATE pack SET sha256 = reverse(sha256) WHERE plane = 'axial'")


def test_full_disk_fails_one_download_and_holds_up_no_other(own: ServingSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_plan, "BATCH_PACKS", 1)  # written out pack by pack, as a large plan is in the middle
    app = own.app()
    app.testing = False
    client = app.test_client()
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", lambda **_: io.FileIO("/dev/full", "r+"))
        answers = [client.get("/api/v1/downloads.zip?species=human") for _ in range(2 * PLANNING_TURNS)]
    assert {(answer.status_code, (answer.json or {})["code"]) for answer in answers} == {(500, "internal")}
    assert opened(client.get("/api/v1/downloads.zip?species=human").data).testzip() is None


def created(site: ServingSite) -> FlaskClient:
    """A client of an application of its own."""
    return site.app().test_client()
