"""The thread that keeps the search of a process up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.search import columns as search_columns
from braingranary.errors import Code, TransientFailure
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from serving import search_keeper
from serving.search_keeper import SearchKeeper
from tests.fixtures.patience import until
from tests.serving.house import furnish
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack


def test_search_keeper_reads_what_was_loaded_and_outlives_a_catalogue_that_is_away(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(postgres_dsn, object_store, s3_settings, numbers=range(5))
    monkeypatch.setattr(search_keeper, "INTERVAL_S", 0.01)
    asked = []

    @contextmanager
    def catalog() -> Iterator[psycopg.Connection[Any]]:
        asked.append(True)
        if len(asked) <= 3:
            raise TransientFailure(Code.CATALOG_UNAVAILABLE, "no connection to the catalogue is free")
        yield connection

    def kept() -> int:
        columns = search_columns.current(beside)
        return len(columns.series_ids) if columns is not None else 0

    search_columns.forget()
    keeper = SearchKeeper(catalog)
    with (
        psycopg.connect(postgres_dsn, autocommit=True) as connection,
        psycopg.connect(postgres_dsn, autocommit=True) as beside,
    ):
        assert kept() == 0
        keeper.start()
        until(lambda: kept() == 5, "the search is not kept")
        synthetic.publish(object_store, "more", synthetic.tables(range(5, 9)))
        load_run(beside, object_store, "more")
        until(lambda: kept() == 9, "the search is not kept after a load")
        keeper.stop()
        keeper.join()
    search_columns.forget()
