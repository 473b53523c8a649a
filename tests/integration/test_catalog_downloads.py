"""The packs of a download, of named queries and of series by their keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.read import downloads
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.schema.row_keys import series_id
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
LABELLED = 3


@pytest.fixture
def connection(postgres_dsn: str, object_store: ObjectStore) -> Iterator[psycopg.Connection[Any]]:
    """A catalogue of six series, half of them with a tumour."""
    migrate(postgres_dsn)
    run = synthetic.tables(range(2 * LABELLED))
    run.labels += [synthetic.label_row(number, tumor=True, source="reader") for number in range(LABELLED)]
    synthetic.publish(object_store, "r1", run)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        load_run(connection, object_store, "r1")
        yield connection


def found(connection: psycopg.Connection[Any], name: str = "withtumor_ax") -> list[str]:
    """In a transaction, as downloads ask."""
    with connection.transaction():
        return [row.series_uid for row in downloads.packs_of_named_query(connection, name)]


def test_packs_of_series_are_those_of_the_keys_planes_and_named_query(connection: psycopg.Connection[Any]) -> None:
    keys = [series_id(synthetic.uid(number)) for number in (1, 4)]
    packs = list(downloads.packs_of_series(connection, keys))
    assert {row.series_uid for row in packs} == {synthetic.uid(1), synthetic.uid(4)}
    assert list(downloads.packs_of_series(connection, keys, planes=["coronal"])) == []
    assert list(downloads.packs_of_series(connection, [])) == []
    labelled = downloads.packs_of_series(connection, keys, planes=["axial"], query="withtumor_ax")
    assert [row.series_uid for row in labelled] == [synthetic.uid(1)]


def test_name_of_a_query_is_a_value_whatever_it_holds(connection: psycopg.Connection[Any]) -> None:
    for name in ("'); DROP TABLE label; --", "\\'", "%(labels)s", "$1", "é'"):
        assert found(connection, name) == []
    assert len(found(connection)) == LABELLED
