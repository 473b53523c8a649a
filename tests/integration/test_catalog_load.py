"""Loading runs into a real PostgreSQL from a real S3: once, twice, in any order, side by side, and when it must not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from braingranary.catalog.load import LoadReport, load_run, pending_runs
from braingranary.catalog.migrate import migrate
from braingranary.errors import Code, ConfigurationError, RejectedInput
from braingranary.records import Plane
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

TABLES = ("collection", "subject", "study", "series", "pack", "slice", "label", "reject", "facet", "named_query")


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


def dump(connection: psycopg.Connection[Any], *, with_xmin: bool = False, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every row of every table, and with `with_xmin` which transaction wrote it."""
    head = "xmin::text, ctid::text, " if with_xmin else ""
    return {
        table: connection.execute(f"SELECT {head}t::text FROM {table} AS t ORDER BY t::text").fetchall()
        for table in TABLES
        if table not in skip
    }


def test_load_run_of_two_parts_catalogues_every_row(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    first = synthetic.tables(range(5), planes=(Plane.AXIAL, Plane.CORONAL))
    second = synthetic.tables(range(5, 12))
    second.rejects.append(synthetic.reject_row("1.2.3"))
    second.labels.append(synthetic.label_row(1, tumor=True, source="collection"))
    synthetic.publish(object_store, "r1", first, second)

    report = load_run(connection, object_store, "r1")

    assert report == LoadReport(
        run="r1", already_loaded=False, series=12, packs=17, slices=68, labels=1, rejects=1,
        series_changed=12, packs_changed=17, slices_changed=68,
    )  # fmt: skip
    counts = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        for table in ("series", "pack", "slice", "label", "reject", "subject", "study", "collection")
    }
    assert counts == {
        "series": (12,), "pack": (17,), "slice": (68,), "label": (1,), "reject": (1,),
        "subject": (2,), "study": (6,), "collection": (3,),
    }  # fmt: skip


def test_load_run_keeps_every_value_as_it_was(connection: psycopg.Connection[Any], object_store: ObjectStore) -> None:
    run = synthetic.tables([7])
    synthetic.publish(object_store, "r1", run)
    load_run(connection, object_store, "r1")
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        stored = cursor.execute(
            "SELECT s.*, c.archive, c.name AS collection, u.patient_id AS subject, t.study_uid"
            " FROM series s JOIN collection c USING (collection_id) JOIN subject u USING (subject_id)"
            " JOIN study t USING (study_id)"
        ).fetchone()
        assert stored is not None
        expected = run.series[0]
        for name, value in expected.items():
            if name == "extra":
                assert stored[name] == {"StationName": "MR1", "n": 7}
            else:
                assert (
                    stored[name] == pytest.approx(value, rel=1e-6)
                    if isinstance(value, float)
                    else stored[name] == value
                )
        members = cursor.execute("SELECT * FROM slice ORDER BY slice_index").fetchall()
    for member, wanted in zip(members, run.slices, strict=True):
        assert (member["byte_offset"], member["byte_length"], member["crc32"]) == (
            wanted["byte_offset"], wanted["byte_length"], wanted["crc32"],
        )  # fmt: skip
        assert member["position_mm"] == pytest.approx(wanted["position_mm"], rel=1e-6)


def test_load_run_twice_and_again_under_another_name_writes_no_row(
    connection: psycopg.Connection[Any], object_store: ObjectStore, postgres_dsn: str
) -> None:
    run = synthetic.tables(range(9))
    run.labels.append(synthetic.label_row(1, tumor=True, source="mask", index=2))
    run.rejects.append(synthetic.reject_row("9.9"))
    synthetic.publish(object_store, "r1", run)
    load_run(connection, object_store, "r1")
    before = dump(connection, with_xmin=True)
    assert load_run(connection, object_store, "r1").already_loaded
    assert dump(connection, with_xmin=True) == before

    # The same rows published by another run in the same second: nothing but that run's own row is written.
    connection.execute("DELETE FROM ingest_run")
    again = load_run(connection, object_store, "r1")
    assert (again.series_changed, again.packs_changed, again.slices_changed) == (0, 0, 0)
    assert dump(connection, with_xmin=True) == before
