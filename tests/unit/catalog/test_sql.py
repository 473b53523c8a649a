"""Conditions without a value are left out of a statement; all others stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from braingranary.catalog.search.filters import SeriesFilter, parameters
from braingranary.catalog.sql import statement, without_nulls

TEXT = """SELECT x.a
FROM x
WHERE
    true
    AND (%(a)s::text IS NULL OR x.a = %(a)s::text)
    -- what is said of b
    AND CASE %(b)s::text
        WHEN 'one' THEN x.b > 0
        ELSE true
    END
    AND (
        %(c)s::text IS NULL
        OR x.c = %(c)s::text
    )
    AND x.d > 0
ORDER BY x.a
"""


def left(**values: Any) -> list[str]:
    """The lines of WHERE that are left."""
    text = without_nulls(TEXT, {"a": None, "b": None, "c": None, **values})
    assert text.startswith("SELECT x.a\nFROM x\nWHERE\n    true\n")
    assert text.endswith("\n    AND x.d > 0\nORDER BY x.a\n")
    return [line.strip() for line in text.splitlines()[4:-2] if "--" not in line]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"a": "x"}, ["AND (x.a = %(a)s::text)"]),
        ({"b": "one"}, ["AND CASE %(b)s::text", "WHEN 'one' THEN x.b > 0", "ELSE true", "END"]),
        ({"c": ""}, ["AND (", "x.c = %(c)s::text", ")"]),
    ],
)
def test_conditions_of_nulls_are_left_out_whole(values: dict[str, Any], expected: list[str]) -> None:
    assert left(**values) == expected


def test_filter_of_nothing_keeps_no_condition_and_each_value_its_own() -> None:
    text = statement("queries/series_filter")
    names = ["series_id", "collection_id", "collection_ids", "cell_ids", "truth_source", "truth_tumor", "verdict"]
    none: dict[str, Any] = {**parameters(SeriesFilter()), **dict.fromkeys(names)}
    assert "AND" not in without_nulls(text, none)[text.index("WHERE") :]
    for name in (*names, "plane", "shown_plane", "age_max", "score_min", "q3"):
        kept = without_nulls(text, {**none, name: 1})
        assert kept.count("    AND ") == 1
        assert f"%({name})s" in kept
