"""The scale set in small: two thousand series of the real index, through the project's own loader."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.storage.store import ObjectStore
from tests.bench import scale_set
from tests.fixtures.snapshots import snapshot_of

pytestmark = pytest.mark.stack
SERIES = 2_000


def filtered(facet: str, value: str) -> SeriesFilter:
    names: dict[str, Any] = {facet: value}
    return SeriesFilter(**names)


def test_scale_set_of_two_thousand_series_is_loaded_searched_and_counted(
    postgres_dsn: str, object_store: ObjectStore
) -> None:
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        cost = scale_set.load(connection, object_store, series=SERIES)
        held = connection.execute(
            "SELECT count(DISTINCT (pack_id, slice_index)), (SELECT sum(slice_count) FROM pack) FROM slice"
        ).fetchone()
        assert (cost.series, held) == (SERIES, (cost.slices, cost.slices))
        snapshot = snapshot_of(connection)
        assert (snapshot.totals.series_count, snapshot.totals.slice_count) == (SERIES, cost.slices)
        for facet in ("collection", "manufacturer", "plane", "field_strength"):
            told = snapshot.totals.facet(facet)
            assert len(told) > 1
            assert sum(item.series_count for item in told) == SERIES
            assert snapshot.select(filtered(facet, told[-1].value)).count().series == told[-1].series_count
        assert snapshot.select(SeriesFilter(q="chest")).count().series > 0
        assert not [item.key for item in object_store.list("runs/")], "row files are not needed once loaded"
