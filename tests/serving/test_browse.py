"""Collections, subjects and studies: counts that add up, pages that hold each row once, and 304 for who has it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from flask.testing import FlaskClient

from braingranary.records import Species
from serving.api import schemas
from tests.serving.serving_site import SLICES
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack


def walk(client: FlaskClient, address: str, name: str, limit: int) -> list[dict[str, Any]]:
    """Every row of a list, page by page."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        body = client.get(f"{address}?limit={limit}{cursor and '&cursor=' + cursor}").get_json()
        assert len(body[name]) <= limit
        rows += body[name]
        cursor = body["next"]
    return rows


def test_species_that_can_be_asked_for_are_those_of_the_records() -> None:
    assert get_args(schemas.Species) == tuple(str(species) for species in Species)


def test_collections_tell_counts_licences_and_lead_to_their_series(client: FlaskClient) -> None:
    found = walk(client, "/api/v1/collections", "collections", 1)
    assert [(item["name"], item["series_count"]) for item in found] == [("Set-0", 3), ("Set-1", 2), ("Set-2", 2)]
    first = found[0]
    assert (first["subject_count"], first["study_count"], first["slice_count"]) == (2, 3, 3 * 3 * SLICES)
    assert first["species"] == ["human"]
    assert first["licenses"] == [
        {"name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/", "series_count": 3}
    ]
    assert client.get(first["url"]).get_json() == first
    assert len(client.get(first["series_url"]).get_json()["series"]) == 3


def test_subjects_paged_hold_each_once_and_lead_to_their_studies(client: FlaskClient) -> None:
    found = walk(client, "/api/v1/subjects", "subjects", 1)
    assert sorted((item["subject"], item["series_count"], item["study_count"]) for item in found) == [
        ("P-0", 6, 3),
        ("P-1", 1, 1),
    ]
    mine = next(item for item in found if item["subject"] == "P-0")
    assert mine["collections"] == ["Set-0", "Set-1", "Set-2"]
    detail = client.get(mine["url"]).get_json()
    studies = walk(client, mine["url"], "studies", 2)
    assert detail["studies"] == studies
    assert len({item["study_uid"] for item in studies}) == 3


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("subject=P-1", {"P-1"}),
        ("collection=Set-1", {"P-0"}),
        ("sex=M", {"P-1"}),
        ("species=dog", set()),
        ("subject=P-0%27--", set()),
    ],
)
def test_subject_filters_narrow(client: FlaskClient, parameters: str, expected: set[str]) -> None:
    body = client.get(f"/api/v1/subjects?{parameters}").get_json()
    assert {item["subject"] for item in body["subjects"]} == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("subject=P-1", {4}),
        ("collection=Set-1", {1, 3}),
        ("date_from=2020-01-05", {3, 4}),
        ("date_to=2020-01-02", {1}),
        ("date_from=2020-01-03&date_to=2020-01-04", {2}),
    ],
)
def test_study_filters_narrow(client: FlaskClient, parameters: str, expected: set[int]) -> None:
    body = client.get(f"/api/v1/studies?{parameters}").get_json()
    assert {item["study_uid"] for item in body["studies"]} == {f"1.2.826.0.2.{number}" for number in expected}


def test_study_leads_to_its_series_and_its_subject(client: FlaskClient) -> None:
    body = client.get("/api/v1/studies/1.2.826.0.2.1").get_json()
    assert {item["series_uid"] for item in body["series"]} == {synthetic.uid(0), synthetic.uid(1)}
    assert (body["subject"], body["series_count"], body["sequences"]) == ("P-0", 2, ["T1", "T1CE"])
    assert client.get(body["subject_url"]).get_json()["subject"] == "P-0"
    for item in body["series"]:
        assert client.get(item["url"]).status_code == 200
        assert client.get(item["thumbnail_url"]).content_type == "image/jpeg"
    assert walk(client, "/api/v1/studies/1.2.826.0.2.1", "series", 1) == body["series"]


@pytest.mark.parametrize(
    "address", ["/api/v1/collections", "/api/v1/subjects", "/api/v1/studies", "/api/v1/studies/1.2.826.0.2.1"]
)
def test_answer_asked_for_again_is_not_sent_again(client: FlaskClient, address: str) -> None:
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("address", "status", "named"),
    [
        ("/api/v1/collections/1", 404, None),
        ("/api/v1/collections/9999999999999999999", 404, None),
        ("/api/v1/collections/Set-0", 400, "collection_id"),
        ("/api/v1/collections?offset=1", 400, "offset"),
        ("/api/v1/subjects/9999999999999999999", 404, None),
        ("/api/v1/subjects?cursor=AAAA", 400, "cursor"),
        ("/api/v1/subjects?sort=sex", 400, "sort"),
        ("/api/v1/studies/9.9.9", 404, None),
        ("/api/v1/studies/1", 400, "uid"),
        ("/api/v1/studies?date_from=0", 400, "date_from"),
        ("/api/v1/studies?date_to=2020-02-30", 400, "date_to"),
        ("/api/v1/studies?limit=1000000000", 400, "limit"),
    ],
)
def test_requests_that_ask_for_nonsense_get_a_problem_that_names_it(
    client: FlaskClient, address: str, status: int, named: str | None
) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    if named:
        assert named in [item["name"] for item in answer.get_json().get("errors", [{"name": "cursor"}])]
