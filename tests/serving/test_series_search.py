"""The list of series and its facets over HTTP: filters narrow, orders can be walked, counts are those of the list."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import urlencode

import psycopg
import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient

from braingranary.catalog.load.normalize_run import load_run
from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from serving.api import schemas
from serving.app import create_app
from tests.serving.own_site import own_site
from tests.serving.serving_site import ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
ALL = set(range(7))


def walk(client: FlaskClient, query: dict[str, str]) -> list[dict[str, Any]]:
    """All pages of a list, each following the `next` of the one before."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/v1/series?" + urlencode({**query, **({"cursor": cursor} if cursor else {})})).get_json()
        assert len(page["series"]) <= int(query.get("limit", 50))
        found += page["series"]
        cursor = page["next"]
    return found


def numbers(found: list[dict[str, Any]]) -> set[int]:
    return {int(item["series_uid"].rsplit(".", 1)[1]) - 1 for item in found}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"uid": synthetic.uid(3)}, {3}),
        ({"study": "1.2.826.0.2.2"}, {2, 3}),
        ({"subject": "P-1"}, {6}),
        ({"archive": "idc"}, set()),
        ({"archive": "tcia", "collection": "Set-0"}, {0, 3, 6}),
        ({"species": "human", "plane": "axial"}, ALL),
        ({"plane": "coronal"}, set()),
        ({"shown_plane": "coronal"}, ALL),
        ({"sequence": "T2"}, {2}),
        ({"sequence": "unknown"}, {4}),
        ({"manufacturer": "GE MEDICAL SYSTEMS"}, {1, 5}),
        ({"model": "Model", "license": "CC BY 4.0", "field_strength": "1.5"}, ALL),
        ({"field_strength": "<1"}, set()),
        ({"sex": "M"}, {6}),
        ({"tumor": "true"}, {0, 1}),
        ({"tumor": "false", "label_source": "reader"}, {2}),
        ({"tumor": "unknown"}, {3, 4, 5, 6}),
        ({"label_source": "mask"}, {1}),
        ({"label_source": "model"}, set()),
        ({"field_strength_min": "1.5", "field_strength_max": "1.5"}, ALL),
        ({"spacing_max": "1.19"}, set()),
        ({"spacing_min": "1.2", "thickness_max": "1.2"}, ALL),
        ({"thickness_min": "1.3"}, set()),
        ({"age_min": "42.5", "age_max": "43.5"}, {2, 3}),
        ({"score_min": "0"}, set()),
        ({"date_from": "2020-02-03", "date_to": "2020-02-04"}, {2, 3}),
        ({"q": "post AX T1 P-0 5"}, {5}),
        ({"q": "study brain", "sequence": "T1"}, {0, 5}),
    ],
)
def test_series_list_with_a_filter_holds_what_it_says_and_counts_it(
    client: FlaskClient, query: dict[str, str], expected: set[int]
) -> None:
    assert numbers(walk(client, query)) == expected
    counted = client.get("/api/v1/series?" + urlencode({**query, "count": "1", "limit": "1"})).get_json()["count"]
    assert (counted["series"], counted["exact"]) == (len(expected), True)
    assert client.get("/api/v1/facets?" + urlencode(query)).get_json()["count"] == counted


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["newest", "date", "age", "field_strength", "slice_count", "spacing", "score"])
def test_series_list_in_any_order_is_walked_once(client: FlaskClient, sort: str, order: str) -> None:
    found = walk(client, {"sort": sort, "order": order, "limit": "2"})
    assert len(found) == len(ALL)
    assert numbers(found) == ALL
    if sort in {"age", "date"}:
        column = {"age": "age_years", "date": "series_date"}[sort]
        values = [item[column] for item in found]
        assert values == sorted(values, reverse=order == "desc")


def test_series_cursor_of_another_order_is_refused(client: FlaskClient) -> None:
    cursor = client.get("/api/v1/series?limit=2&sort=age&order=asc").get_json()["next"]
    for query in ("sort=age&order=desc", "sort=newest&order=asc", ""):
        answer = client.get(f"/api/v1/series?cursor={cursor}&{query}")
        assert (answer.status_code, "cursor" in answer.get_json()["detail"]) == (400, True)
    assert client.get(f"/api/v1/series?cursor={cursor}&sort=age&order=asc").status_code == 200


def test_every_facet_value_as_a_filter_finds_as_many_as_it_told(client: FlaskClient) -> None:
    told = client.get("/api/v1/facets").get_json()["facets"]
    assert {"archive", "collection", "plane", "shown_plane", "sequence", "tumor", "label_source"} <= {
        item["facet"] for item in told
    }
    for item in told:
        found = walk(client, {item["facet"]: item["value"]})
        assert len(found) == item["series_count"]
        assert len({series["subject"] for series in found}) == item["subject_count"]


def test_facet_of_a_chosen_value_still_tells_its_other_values(client: FlaskClient) -> None:
    body = client.get("/api/v1/facets?sequence=T1&values=2").get_json()
    sequences = {item["value"]: item["series_count"] for item in body["facets"] if item["facet"] == "sequence"}
    collections = {item["value"]: item["series_count"] for item in body["facets"] if item["facet"] == "collection"}
    assert sequences == {"T1": 2, "T1CE": 2}, "the most frequent of all, in the order of the alphabet among equals"
    assert collections == {"Set-0": 1, "Set-2": 1}
    assert body["count"]["series"] == 2


def test_facets_that_did_not_change_are_not_sent_again(client: FlaskClient, site: ServingSite) -> None:
    first = client.get("/api/v1/facets?sex=F")
    again = client.get("/api/v1/facets?sex=F", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sequence=T1&sequence=T2", {0, 2, 5}),
        ("sequence=T2&sequence=unknown", {2, 4}),
        ("sequence=T1&sequence=T2&collection=Set-0", {0}),
        ("shown_plane=axial&shown_plane=coronal", ALL),
        ("tumor=false&tumor=unknown", ALL - {0, 1}),
        (f"uid={synthetic.uid(1)}&uid={synthetic.uid(4)}", {1, 4}),
    ],
)
def test_several_values_of_one_filter_find_what_any_of_them_finds(
    client: FlaskClient, query: str, expected: set[int]
) -> None:
    body = client.get(f"/api/v1/series?{query}&count=1").get_json()
    assert numbers(body["series"]) == expected
    assert client.get(f"/api/v1/facets?{query}").get_json()["count"] == body["count"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [("AXIAL t1ce", {1, 6}), ("siemens", {0, 4}), ("p-1", {6}), ("set-2", {2, 5}), ("study brain", ALL)],
)
def test_words_are_found_in_every_text_of_a_series_in_any_case(
    client: FlaskClient, words: str, expected: set[int]
) -> None:
    assert numbers(walk(client, {"q": words})) == expected


@pytest.mark.parametrize("query", ["", "sequence=T1&sequence=T2", "sort=age&order=asc&sex=F", "q=nothing"])
def test_csv_and_parquet_hold_what_the_pages_hold(client: FlaskClient, query: str) -> None:
    pages = client.get(f"/api/v1/series?{query}").get_json()["series"]
    parquet = client.get(f"/api/v1/series?{query}&format=parquet")
    assert parquet.content_type == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(parquet.data))
    assert table.column_names == list(schemas.Series.model_fields)
    assert [schemas.Series.model_validate(row).model_dump(mode="json") for row in table.to_pylist()] == pages
    text = client.get(f"/api/v1/series?{query}", headers={"Accept": "text/csv"})
    assert text.content_type.startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(text.text, newline="")))
    told = [{name: line[name] or None for name in line} for line in lines]
    assert [schemas.Series.model_validate(line).model_dump(mode="json") for line in told] == pages
    assert text.text.splitlines()[0].split(",") == list(schemas.Series.model_fields)


def test_table_names_its_state_and_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/api/v1/series?format=csv")
    again = client.get("/api/v1/series?format=csv", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/api/v1/series?format=parquet").headers["ETag"] != first.headers["ETag"]
    assert client.get("/api/v1/series?format=csv&cursor=AAAA").status_code == 400
    assert client.get("/api/v1/series?format=xlsx").status_code == 400


def test_answers_name_the_state_that_they_are_of_and_change_with_it(
    postgres_server: PostgresServer, object_server: ObjectServer
) -> None:
    with own_site(postgres_server, object_server, numbers=range(3)) as site:
        app = site.app()
        client, search = app.test_client(), app.extensions["granary"].search
        first = {path: client.get(path) for path in ("/api/v1/series", "/api/v1/facets", "/api/v1/queries", "/")}
        assert {answer.headers["Catalogue-State"] for answer in first.values()} == {search.current.state}
        run = synthetic.tables(range(3, 5))
        synthetic.publish(site.store, "more", run)
        with psycopg.connect(site.dsn, autocommit=True) as connection:
            load_run(connection, site.store, "more")
        assert client.get(f"/api/v1/series/{synthetic.uid(4)}").status_code == 200, "one series is of this moment"
        assert len(client.get("/api/v1/series").get_json()["series"]) == 3
        assert search.refresh()
        assert len(client.get("/api/v1/series").get_json()["series"]) == 5
        again = client.get("/api/v1/facets", headers={"If-None-Match": first["/api/v1/facets"].headers["ETag"]})
        assert (again.status_code, again.headers["Catalogue-State"]) == (200, search.current.state)
        assert not search.refresh()
        app.extensions["granary"].close()


def test_without_a_snapshot_searches_are_503_and_the_process_is_not_ready(
    postgres_server: PostgresServer, object_server: ObjectServer
) -> None:
    with own_site(postgres_server, object_server, numbers=range(1)) as site:
        app = create_app(**site.settings)
        client = app.test_client()
        for path in ("/api/v1/series", "/api/v1/series?format=csv", "/api/v1/facets", "/api/v1/collections", "/search"):
            answer = client.get(path)
            assert (answer.status_code, answer.get_json()["code"]) == (503, "search_not_ready")
            assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/readyz").get_json()["parts"]["search"] == "failing"
        assert client.get(f"/api/v1/series/{synthetic.uid(0)}").status_code == 200
        app.extensions["granary"].search.refresh()
        assert client.get("/api/v1/series").status_code == 200
        app.extensions["granary"].close()
