"""The routes over a real database and a real store: what they answer, and what they refuse."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.serving.serving_site import SLICES, ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack


def test_front_page_for_a_program_counts_what_is_there(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.content_type == "application/json"
    body = answer.get_json()
    assert (body["series"], body["slices"], body["subjects"]) == (7, 7 * 3 * SLICES, 2)
    assert body["collections"] == {"Set-0": 3, "Set-1": 2, "Set-2": 2}
    assert {item["name"]: item["slice_count"] for item in body["queries"]} == {
        "withtumor_ax": SLICES + SLICES - 2,
        "withtumor_cor": 2 * SLICES,
        "withtumor_sag": 2 * SLICES,
        "notumor_ax": SLICES + 2,
        "notumor_cor": SLICES,
        "notumor_sag": SLICES,
    }


def test_front_page_for_a_browser_is_html_with_no_inline_script(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.mimetype == "text/html"
    assert "Accept" in answer.headers["Vary"]
    assert "<script" in answer.text
    assert not re.search(r"<script(?![^>]* src=)", answer.text)
    assert " style=" not in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.text.count('<img src="/api/v1/slices/') == 7


@pytest.mark.parametrize(
    "query", ["withtumor_ax", "withtumor_cor", "withtumor_sag", "notumor_ax", "notumor_cor", "notumor_sag"]
)
def test_images_of_a_named_query_are_a_whole_zip_of_the_length_told(
    client: FlaskClient, site: ServingSite, query: str
) -> None:
    answer = client.get(f"/Images/{query}")
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        for name in names:
            _, _, uid, member = name.split("/")
            _, plane, number = member.removesuffix(".jpg").split("-")
            assert archive.read(name) == site.jpegs[uid, plane][int(number)]
            assert archive.getinfo(name).compress_type == zipfile.ZIP_STORED
    counts = {item["name"]: item["slice_count"] for item in client.get("/").get_json()["queries"]}
    assert len(names) == len(set(names)) == counts[query] > 0


def test_images_mask_leaves_lesion_free_slices_to_notumor(client: FlaskClient) -> None:
    def numbers(query: str) -> set[str]:
        with zipfile.ZipFile(io.BytesIO(client.get(f"/Images/{query}").data)) as archive:
            return {name[-8:-4] for name in archive.namelist() if f"/{synthetic.uid(1)}/" in name}

    assert numbers("withtumor_ax") == {"0002", "0003", "0004", "0005"}
    assert numbers("notumor_ax") == {"0000", "0001"}


def test_images_head_tells_the_length_and_sends_nothing(client: FlaskClient) -> None:
    head, whole = client.head("/Images/notumor_ax"), client.get("/Images/notumor_ax")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert head.data == b""


def test_images_form_leads_to_the_zip(client: FlaskClient) -> None:
    answer = client.get("/Images?query=notumor_sag")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/Images/notumor_sag")


def test_series_paged_one_by_one_gives_each_once(client: FlaskClient) -> None:
    seen: list[str] = []
    address: str | None = "/api/v1/series?limit=2"
    while address:
        body = client.get(address).get_json()
        seen += [item["series_uid"] for item in body["series"]]
        address = f"/api/v1/series?limit=2&cursor={body['next']}" if body["next"] else None
    assert sorted(seen) == sorted(synthetic.uid(number) for number in range(7))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("collection=Set-0", {0, 3, 6}),
        ("sequence=T1", {0, 5}),
        ("manufacturer=SIEMENS", {0, 4}),
        ("sex=F", {0, 1, 2, 3, 4, 5}),
        ("species=human&plane=axial&collection=Set-1", {1, 4}),
        ("plane=coronal", set()),
        ("collection=%27%20OR%201%3D1--", set()),
    ],
)
def test_series_filters_narrow(client: FlaskClient, parameters: str, expected: set[int]) -> None:
    body = client.get(f"/api/v1/series?{parameters}").get_json()
    assert {item["series_uid"] for item in body["series"]} == {synthetic.uid(number) for number in expected}


def test_series_page_and_its_slices(client: FlaskClient) -> None:
    uid = synthetic.uid(1)
    body = client.get(f"/api/v1/series/{uid}").get_json()
    assert (body["series_uid"], body["extra"], len(body["packs"])) == (uid, {"StationName": "MR1", "n": 1}, 3)
    slices: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"/api/v1/series/{uid}/slices?limit=4{cursor and '&cursor=' + cursor}").get_json()
        slices += page["slices"]
        cursor = page["next"]
    assert [(item["plane"], item["slice_index"]) for item in slices] == [
        (plane, index) for plane in ("axial", "coronal", "sagittal") for index in range(SLICES)
    ]
    assert [item["tumor"] for item in slices[:3]] == [False, False, True]
    only = client.get(f"/api/v1/series/{uid}/slices?plane=sagittal").get_json()["slices"]
    assert {item["plane"] for item in only} == {"sagittal"}


def test_slice_jpeg_is_the_packed_bytes_and_revalidates(client: FlaskClient, site: ServingSite) -> None:
    uid = synthetic.uid(4)
    for item in client.get(f"/api/v1/series/{uid}/slices").get_json()["slices"]:
        answer = client.get(item["url"])
        assert answer.content_type == "image/jpeg"
        assert answer.data == site.jpegs[uid, item["plane"]][item["slice_index"]]
    again = client.get(item["url"], headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert "max-age" in again.headers["Cache-Control"]


def test_image_list_paged_holds_every_slice_once_with_the_predecessors_fields(client: FlaskClient) -> None:
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"/ImageList?limit=50{cursor and '&cursor=' + cursor}").get_json()
        seen += page["images"]
        cursor = page["next"]
    assert len({item["id"] for item in seen}) == len(seen) == 7 * 3 * SLICES
    assert {"series_uid", "series_date", "plane", "manufacturer", "manufacturer_model", "pixel_width_mm", "url"} <= set(
        seen[0]
    )


@pytest.mark.parametrize(
    ("address", "status", "named"),
    [
        ("/api/v1/series?limit=1000000000", 400, "limit"),
        ("/api/v1/series?limit=0", 400, "limit"),
        ("/api/v1/series?limit=ten", 400, "limit"),
        ("/api/v1/series?order=sex", 400, "order"),
        ("/api/v1/series?limit=2&limit=3", 400, "limit"),
        ("/api/v1/series?plane=oblique", 400, "plane"),
        ("/api/v1/series?collection=a%00b", 400, "collection"),
        ("/api/v1/series?cursor=%2e%2e", 400, "cursor"),
        ("/api/v1/series?cursor=AAAA", 400, "cursor"),
        ("/api/v1/series?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", 400, "cursor"),
        ("/api/v1/series/1.2.826.0.1.2/slices?cursor=OTk5OTk5OTk5fmF4aWFsfjk5OTk5OTk5OTk5OTk", 200, None),
        ("/api/v1/series/..%2f..%2fetc", 404, None),
        ("/api/v1/series/abc", 400, "uid"),
        ("/api/v1/series/9.9.9", 404, None),
        ("/api/v1/series/9.9.9/slices", 404, None),
        ("/api/v1/slices/1-1.jpg", 404, None),
        ("/api/v1/slices/9999999999999999999-999999999.jpg", 404, None),
        ("/api/v1/slices/x.jpg", 400, "slice_id"),
        ("/Images/everything", 400, "query"),
        ("/ImageList?offset=3", 400, "offset"),
        ("/healthz?x=1", 400, "x"),
        ("/nowhere", 404, None),
    ],
)
def test_requests_that_ask_for_nonsense_get_a_problem_that_names_it(
    client: FlaskClient, address: str, status: int, named: str | None
) -> None:
    answer = client.get(address, headers={"X-Request-ID": "req-1"})
    assert answer.status_code == status
    assert answer.headers["X-Request-ID"] == "req-1"
    if status != 200:
        assert answer.content_type == "application/problem+json"
        body = answer.get_json()
        assert (body["status"], body["request_id"]) == (status, "req-1")
        assert body["code"] in {"request_invalid", "not_found"}
        if named:
            assert named in answer.text


def test_method_not_allowed_is_a_problem_with_allow(client: FlaskClient) -> None:
    answer = client.post("/ImageList")
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_request_id_of_a_hostile_proxy_is_replaced(client: FlaskClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": "a b<script>"})
    assert answer.status_code == 200
    assert len(answer.headers["X-Request-ID"]) == 32


def test_openapi_describes_every_route(client: FlaskClient) -> None:
    body = client.get("/api/v1/openapi.json").get_json()
    assert body["openapi"] == "3.1.0"
    assert {"/", "/healthz", "/ImageList", "/Images/{query}", "/api/v1/series", "/api/v1/series/{uid}"} <= set(
        body["paths"]
    )
    names = {item["name"] for item in body["paths"]["/api/v1/series"]["get"]["parameters"]}
    assert {"collection", "plane", "sequence", "manufacturer", "species", "sex", "cursor", "limit"} <= names


def test_favicon_is_the_icon(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")


@pytest.mark.parametrize("address", ["/", "/api/v1/series", "/search", "/nothing", "/Images?query=withtumor_ax"])
def test_foreign_host_is_refused_and_never_echoed(client: FlaskClient, address: str) -> None:
    for accept in ("text/html", "application/json"):
        answer = client.get(address, headers={"Host": "evil.example", "Accept": accept})
        assert answer.status_code == 400
        assert "evil" not in answer.text + str(answer.headers)
