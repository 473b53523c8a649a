"""The scale set in small: two thousand series of the real index, written by COPY and searched."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.search.filters import SeriesFilter
from tests.bench import scale_set
from tests.fixtures.snapshots import snapshot_of

pytestmark = pytest.mark.stack
SERIES = 2_000


def filtered(facet: str, value: str) -> SeriesFilter:
    names: dict[str, Any] = {facet: value}
    return SeriesFilter(**names)


def test_scale_set_of_two_thousand_series_is_searched_and_counted(postgres_dsn: str) -> None:
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        scale_set.fill(connection, scale_set.index_table(series=SERIES))
        held = connection.execute("SELECT count(*), sum(slice_count) FROM pack").fetchone()
        snapshot = snapshot_of(connection)
        assert (snapshot.totals.series_count, snapshot.totals.slice_count) == held
        assert snapshot.totals.series_count == SERIES
        for facet in ("collection", "manufacturer", "plane", "field_strength"):
            told = snapshot.totals.facet(facet)
            assert len(told) > 1
            assert sum(item.series_count for item in told) == SERIES
            assert snapshot.select(filtered(facet, told[-1].value)).count().series == told[-1].series_count
        assert snapshot.select(SeriesFilter(q="chest")).count().series > 0
