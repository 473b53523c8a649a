"""Series as PostgreSQL tells them: what is answered is what the description promises, and what the records hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel

from braingranary.catalog.read import series as search
from braingranary.catalog.search.filters import SeriesFilter
from serving.api import schemas
from tests.serving.house import House
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
UIDS = [synthetic.uid(number) for number in range(7)]


def fields_of(model: type[BaseModel]) -> list[str]:
    return list(model.model_fields)


def held(house: House) -> dict[str, search.SeriesItem]:
    """Every series as a record."""
    with psycopg.connect(house.dsn, autocommit=True, options="-c timezone=UTC") as connection:
        return {item.series_uid: item for item in search.series_page(connection, SeriesFilter(), limit=100)}


def shown(item: search.SeriesItem, root: str = "") -> dict[str, Any]:
    """What is promised of a record."""
    address = f"{root}/api/v1/series/{item.series_uid}"
    values = {name: getattr(item, name) for name in fields_of(schemas.Series) if hasattr(item, name)}
    cover = f"{root}/api/v1/slices/{item.cover_pack_id}-{item.cover_index}.jpg"
    return {**values, "url": address, "slices_url": f"{address}/slices", "thumbnail_url": cover}


def test_page_of_series_holds_every_promised_field_with_the_value_of_the_record(
    client: FlaskClient, house: House
) -> None:
    records = held(house)
    answer = client.get("/api/v1/series?count=1").get_json()
    assert list(answer) == fields_of(schemas.SeriesPage)
    assert len(answer["series"]) == answer["count"]["series"] == len(UIDS)
    for told in answer["series"]:
        assert list(told) == fields_of(schemas.Series)
        assert schemas.Series.model_validate(told) == schemas.Series.model_validate(shown(records[told["series_uid"]]))
        assert datetime.fromisoformat(told["published_at"]).tzinfo == UTC


@pytest.mark.parametrize("uid", UIDS[:3])
def test_one_series_holds_what_lists_tell_and_the_rest_that_is_known(
    client: FlaskClient, house: House, uid: str
) -> None:
    told = client.get(f"/api/v1/series/{uid}").get_json()
    assert sorted(told) == sorted(fields_of(schemas.SeriesDetail))
    with psycopg.connect(house.dsn, autocommit=True) as connection:
        rest = search.extra_of_series(connection, uid)
        packs = search.packs_of_series(connection, uid)
    assert rest is not None
    more = {name: getattr(rest, name) for name in fields_of(schemas.SeriesDetail) if hasattr(rest, name)}
    expected = schemas.SeriesDetail.model_validate({**shown(held(house)[uid]), **more, "packs": packs})
    assert schemas.SeriesDetail.model_validate(told) == expected
    assert [list(pack) for pack in told["packs"]] == [fields_of(schemas.Pack)] * len(packs)


def test_addresses_of_series_stand_under_where_the_application_is_mounted(client: FlaskClient, house: House) -> None:
    told = client.get(f"/api/v1/series/{UIDS[0]}", environ_overrides={"SCRIPT_NAME": "/granary"}).get_json()
    expected = shown(held(house)[UIDS[0]], root="/granary")
    assert [told[name] for name in ("url", "slices_url", "thumbnail_url")] == [
        expected[name] for name in ("url", "slices_url", "thumbnail_url")
    ]


@pytest.mark.parametrize("address", [f"/api/v1/series/{UIDS[0]}", "/api/v1/series?limit=3"])
def test_series_asked_for_again_with_their_etag_are_answered_304_without_a_body(
    client: FlaskClient, address: str
) -> None:
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(address, headers={"If-None-Match": '"another"'}).data == first.data


def test_unknown_series_is_not_found(client: FlaskClient) -> None:
    assert client.get("/api/v1/series/1.2.3").get_json()["code"] == "not_found"
