"""Case 28: parameters that nobody offered, sorts that are SQL, a limit of a billion, forged cursors.

All get 400 with their name, or one bounded page of the same list; no answer tells of anything else.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from serving.http import cursors
from tests.serving.serving_site import fill_catalogue
from tests.unit.catalog import synthetic

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

SERIES: Final = 7
LIMIT_MAX: Final = 500
SQL: Final = (
    "series_id; DROP TABLE series",
    "1) OR 1=1 --",
    "newest' UNION SELECT dsn FROM settings --",
    "(SELECT pg_sleep(10))",
    "published_at",
    "series_snapshot.words",
    "sort_key",
    "NEWEST",
    "newest,age",
    "-age",
    "%(limit)s",
    "{sort}",
    "*",
)
UNKNOWN: Final = (
    "offset", "page", "order_by", "where", "select", "fields", "series_id", "subject_id", "collection_id",
    "collection_ids", "cell_id", "model_id", "truth_source", "verdict", "series_threshold", "after_id", "after_value",
    "q0", "limit[]", "limit[$gt]", "filter[plane]", "plane__in", "__proto__", "constructor", "sort_key", "",
    "Plane", "callback", "columns",
)  # fmt: skip
ILL_TYPED: Final = {
    "limit": ("1e9", "1000000000", "501", "0", "-1", "1.5", "ten", "", "0x10", "NaN", "9" * 400),
    "plane": ("oblique", "AXIAL", "axial'--", "axial\x00", ""),
    "shown_plane": ("any", ""),
    "species": ("cat", "human OR true"),
    "tumor": ("1", "True", "null"),
    "label_source": ("model:1", "anyone"),
    "field_strength": ("1.50", "3T", "> 1"),
    "sex": ("F'", "F M", "%"),
    "count": ("yes", "2", "-1"),
    "format": ("xlsx", "JSON", "csv; --", ""),
    "order": ("up", "asc; --", "ASC"),
    "uid": ("abc", "1.2.3' OR '1'='1", "1." + "2" * 100, "../1.2"),
    "study": ("x", "%", "1..2"),
    "age_min": ("nan", "inf", "-1", "1e999", "forty", "201"),
    "score_max": ("1.1", "-0.1", "nan"),
    "spacing_max": ("Infinity", "-5", "1,5"),
    "date_from": ("yesterday", "2020-13-01", "0", "1e10", "2020-01-01T00:00:00Z; --"),
    "q": ("%", "___", "' --", "a b c d e f g h i", "x" * 201, "a\x00b", "\n"),
    "collection": ("a\x00b", "x" * 201, "", "a\rb"),
    "subject": ("\x7f", ""),
    "sort": SQL,
}
TEXTS: Final = (
    "' OR '1'='1",
    "x'; DROP TABLE series; --",
    "%",
    "_",
    "\\",
    "$1",
    "%(limit)s",
    "{0}",
    "\u202e",
    "${jndi}",
)


def forged() -> list[str]:
    """Cursors that no page ever gave out."""
    values = (
        "nan", "inf", "-inf", "1e39", "0 OR 1=1", "'; DROP TABLE series; --", "0001-01-01", "9999-12-31T23:59:59+00:00",
        "0001-01-01T00:00:00+23:59", "10000-01-01T00:00:00+00:00", "2020-01-01T00:00:00", "-infinity", "now", "",
    )  # fmt: skip
    made = [cursors.encode("newest", "desc", value, key) for value in values for key in (0, -1, 2**63 - 1, -(2**63))]
    made += [cursors.encode("newest", "desc", "", 2**63), cursors.encode("age", "desc", 40, 1)]
    made += [cursors.encode("newest", "asc", "", 1), cursors.encode("words", "desc", "", 1), cursors.encode(1)]
    made += [cursors.encode("newest", "desc", "a\x00b", 1), cursors.encode("newest", "desc", "", 1, 1)]
    return [*made, "AAAA", "%2e%2e", "A" * 200, "A" * 10_000, "=", "0", "null", "bm9uZQ", "../../etc/passwd"]


class Judge:
    """Asks, and keeps what was accepted although it should not have been."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.asked = 0
        self.accepted: list[str] = []

    def refused(self, path: str, query: list[tuple[str, str]], name: str) -> None:
        """400 that names the parameter."""
        answer = self.client.get(f"{path}?{urlencode(query)}")
        self.asked += 1
        body: dict[str, Any] = answer.get_json()
        named = [error["name"] for error in body.get("errors") or []]
        if answer.status_code != 400 or body["code"] != "request_invalid":
            self.accepted.append(f"{path} {query} {answer.status_code}")
        elif name[:100] not in named and name not in body["detail"]:
            self.accepted.append(f"{path} {query} without its name")

    def bounded(self, path: str, query: list[tuple[str, str]], known: set[str]) -> None:
        """400, or at most a page of series that the list has anyway."""
        answer = self.client.get(f"{path}?{urlencode(query)}")
        self.asked += 1
        listed = [item["series_uid"] for item in answer.get_json().get("series", [])]
        of_the_list = answer.status_code == 200 and len(listed) == len(set(listed)) <= LIMIT_MAX
        if answer.status_code != 400 and not (of_the_list and set(listed) <= known):
            self.accepted.append(f"{path} {query} {answer.status_code}")


def test_filters_that_are_attacks_get_400_or_a_bounded_page(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(SERIES))
    app = site.app()
    with app.test_client() as client:
        judge = Judge(client)
        known = {synthetic.uid(number) for number in range(SERIES)}
        for path in ("/api/v1/series", "/api/v1/facets"):
            for name in UNKNOWN:
                judge.refused(path, [(name, "1")], name)
            for name, values in ILL_TYPED.items():
                for value in values:
                    judge.refused(path, [(name, value)], name)
            judge.refused(path, [("plane", "axial"), ("plane", "oblique")], "plane")
            judge.refused(path, [("sequence", f"T{number}") for number in range(51)], "sequence")
            judge.refused(path, [("age_min", "1"), ("age_min", "2")], "age_min")
            judge.refused(path, [("q", "t1"), ("q", "t2")], "q")
            for name in ("sort", "limit", "cursor", "order", "count", "format"):
                if path.endswith("facets"):
                    judge.refused(path, [(name, "1")], name)
        for cursor in forged():
            judge.bounded("/api/v1/series", [("cursor", cursor)], known)
            judge.bounded("/api/v1/series", [("cursor", cursor), ("sort", "age"), ("limit", "500")], known)
        for name in ("collection", "subject", "manufacturer", "model", "sequence", "license", "archive"):
            for text in TEXTS:
                judge.bounded("/api/v1/series", [(name, text)], set())
        assert {item["series_uid"] for item in client.get("/api/v1/series").get_json()["series"]} == known
    app.extensions["granary"].close()
    print(f"case 28 filters: accepted={len(judge.accepted)} of {judge.asked}")
    assert judge.accepted == []
