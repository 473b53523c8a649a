"""Loading runs into a real PostgreSQL from a real S3: once, twice, in any order, side by side, and when it must not."""

from __future__ import annotations

import io
import itertools
import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from braingranary.catalog.load.normalize_run import LoadReport, load_ingests, load_run, pending_runs
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.schema.series_fields import SERIES_FIELDS, Origin
from braingranary.catalog.sql import statement
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.errors import Code, ConfigurationError, RejectedInput
from braingranary.records import Plane
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.fixtures.named_slices import named_query_slices
from tests.fixtures.snapshots import snapshot_of
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

# ruff: noqa: S608 - names of tables from a constant of this file
TABLES = (
    "collection", "subject", "study", "series", "pack", "slice", "label", "reject", "named_query",
)  # fmt: skip


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A catalogue; whatever a test loads into it, the series have to stand told as they are behind it."""
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


def dump_runs(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute("SELECT r::text FROM ingest_run AS r ORDER BY r::text").fetchall()


@contextmanager
def fresh_catalogue(server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    database = Database(name=f"order_{secrets.token_hex(6)}", role="granary", password="granary-test")
    server.ensure_database(database)
    migrate(server.dsn(database))
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        yield connection
    server.drop_database(database)


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


def test_the_state_of_the_catalogue_rises_with_what_is_new_and_with_nothing_else(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    def state() -> Any:
        return connection.execute(statement("queries/catalogue_state")).fetchone()

    states = [state()]
    run = synthetic.tables(range(3))
    synthetic.publish(object_store, "r1", run)
    synthetic.publish(object_store, "bad", synthetic.RunTables(packs=run.packs))
    load_run(connection, object_store, "r1")
    states.append(state())
    assert load_run(connection, object_store, "r1").already_loaded
    with pytest.raises(RejectedInput):
        load_run(connection, object_store, "bad")
    connection.execute("DELETE FROM ingest_run")
    assert load_run(connection, object_store, "r1").series_changed == 0
    assert state() == states[-1], "a replay or a load that fails changes nothing"
    labels = synthetic.RunTables(labels=[synthetic.label_row(1, tumor=True, source="reader")])
    synthetic.publish(object_store, "labels", labels)
    load_run(connection, object_store, "labels")
    states.append(state())
    synthetic.publish_ingest(object_store, "i1", [synthetic.reject_row("1.2.3", step="stage", code="download_short")])
    load_ingests(connection, object_store)
    states.append(state())
    assert [later[0] > earlier[0] and later[1] > earlier[1] for earlier, later in itertools.pairwise(states)] == [
        True
    ] * 3


def test_load_run_in_any_order_ends_in_the_same_rows(
    postgres_server: PostgresServer, object_store: ObjectStore
) -> None:
    """Three runs that overlap and contradict each other, each a second apart, loaded in all six orders."""
    first = synthetic.tables(range(6))
    first.labels.append(synthetic.label_row(0, tumor=True, source="mask", index=1))
    second = synthetic.tables(range(3, 8), slices=5)
    second.series[0].update(subject="P-moved", study_date=None, sex="O")
    second.labels.append(synthetic.label_row(0, tumor=False, source="mask", index=1))
    third = synthetic.tables(range(5), planes=(Plane.AXIAL, Plane.SAGITTAL))
    third.rejects.append(synthetic.reject_row(synthetic.uid(40), fatal=False))
    for run, content in {"a": first, "b": second, "c": third}.items():
        synthetic.publish(object_store, run, content)
        time.sleep(1.1)  # the store's clock counts seconds
    ends = []
    for order in itertools.permutations("abc"):
        with fresh_catalogue(postgres_server) as connection:
            for run in order:
                load_run(connection, object_store, run)
            ends.append((order, dump(connection), dump_runs(connection)))
    for order, ended, runs in ends[1:]:
        assert ended == ends[0][1], order
        assert runs == ends[0][2], order


def test_load_run_of_a_changed_series_replaces_its_packs_and_slices(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    synthetic.publish(object_store, "r1", synthetic.tables([0, 1], planes=(Plane.AXIAL, Plane.CORONAL)))
    load_run(connection, object_store, "r1")
    time.sleep(1.1)
    synthetic.publish(object_store, "r2", synthetic.tables([0], slices=3))
    load_run(connection, object_store, "r2")
    packs = connection.execute(
        "SELECT s.series_uid, p.plane, count(l.*) FROM series s JOIN pack p USING (series_id)"
        " JOIN slice l USING (pack_id) GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    assert packs == [
        (synthetic.uid(0), "axial", 3),
        (synthetic.uid(1), "axial", 4),
        (synthetic.uid(1), "coronal", 4),
    ]


def test_load_run_with_a_series_in_two_parts_takes_one_part_whole(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    early, late = synthetic.tables([0, 1], slices=5), synthetic.tables([1, 2], slices=3)
    synthetic.publish(object_store, "r1", early, late)
    report = load_run(connection, object_store, "r1")
    assert (report.series, report.series_changed, report.slices_changed) == (4, 3, 11)
    counted = connection.execute(
        "SELECT s.slice_count, count(l.*) FROM series s JOIN pack p USING (series_id) JOIN slice l USING (pack_id)"
        " WHERE s.series_uid = %s GROUP BY 1",
        [synthetic.uid(1)],
    ).fetchall()
    assert counted == [(3, 3)]


def test_load_run_four_at_once_load_it_once(
    connection: psycopg.Connection[Any], object_store: ObjectStore, postgres_dsn: str
) -> None:
    synthetic.publish(object_store, "r1", synthetic.tables(range(30)))

    def load(_: int) -> LoadReport:
        with psycopg.connect(postgres_dsn, autocommit=True) as other:
            return load_run(other, object_store, "r1")

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(load, range(4)))
    assert sorted(report.already_loaded for report in reports) == [False, True, True, True]
    assert connection.execute("SELECT count(*) FROM slice").fetchone() == (120,)


BAD_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "series_values": ("series", {"row_spacing_mm": float("nan")}),
    "series_values ": ("series", {"slice_spacing_mm": float("inf")}),
    "series_values  ": ("series", {"species": "dragon"}),
    "series_extra_check": ("series", {"extra": "[1]"}),
    "InvalidTextRepresentation": ("series", {"extra": "{"}),
    "pack_values": ("packs", {"sha256": "x"}),
    "packs_of_a_series": ("packs", {"series_uid": "1.9.9"}),
    "slices_fill_their_pack": ("slices", {"slice_index": 9}),
    "slices_fill_their_pack ": ("slices", {"byte_offset": 10**9}),
    "slice_values": ("slices", {"position_mm": float("nan")}),
    "label_values": ("labels", {"source": "rumour"}),
    "reject_values": ("rejects", {"step": "lunch"}),
}


@pytest.mark.parametrize("check", BAD_ROWS)
def test_load_run_with_a_failed_check_changes_nothing(
    connection: psycopg.Connection[Any], object_store: ObjectStore, check: str
) -> None:
    synthetic.publish(object_store, "good", synthetic.tables([0]))
    load_run(connection, object_store, "good")
    before = (dump(connection, with_xmin=True), dump_runs(connection))

    bad = synthetic.tables([1, 2])
    bad.labels.append(synthetic.label_row(1, tumor=True, source="mask"))
    bad.rejects.append(synthetic.reject_row("1.5"))
    table, change = BAD_ROWS[check]
    getattr(bad, table)[0].update(change)
    synthetic.publish(object_store, "bad", bad)
    with pytest.raises(RejectedInput) as caught:
        load_run(connection, object_store, "bad")

    assert caught.value.code is Code.CATALOG_CHECK_FAILED
    assert check.strip() in str(caught.value)
    assert (dump(connection, with_xmin=True), dump_runs(connection)) == before
    # The connection is fit for the next run.
    assert pending_runs(connection, object_store) == ["bad"]


def test_load_run_with_slices_that_overlap_changes_nothing(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    bad = synthetic.tables([1])
    bad.slices[1].update(byte_offset=bad.slices[0]["byte_offset"] + 1)
    synthetic.publish(object_store, "bad", bad)
    with pytest.raises(RejectedInput, match="slices_in_order"):
        load_run(connection, object_store, "bad")
    assert connection.execute("SELECT count(*) FROM series").fetchone() == (0,)


def test_load_run_keeps_hostile_text_as_text(connection: psycopg.Connection[Any], object_store: ObjectStore) -> None:
    hostile = "a\"b\\c,'; DROP TABLE series; --\n\t\\.\r\n\\N \u202e 🧠 "
    run = synthetic.tables([0])
    run.series[0].update(
        collection=hostile,
        subject=hostile,
        series_description=hostile + "\x00end",
        study_description="",
        extra=json.dumps({"k\x00": "v\x00", "lone": "\ud800", "pair": "🧠", "kept": "\\u0000"}),
    )
    run.rejects.append(synthetic.reject_row("../" + "x" * 50_000 + "\x00", detail=hostile))
    synthetic.publish(object_store, "r1", run)
    load_run(connection, object_store, "r1")
    row = connection.execute(
        "SELECT c.name, u.patient_id, s.series_description, s.study_description, s.extra, s.protocol_name"
        " FROM series s JOIN collection c USING (collection_id) JOIN subject u USING (subject_id)"
    ).fetchone()
    assert row == (
        hostile,
        hostile,
        hostile + "\ufffdend",
        "",
        {"k\ufffd": "v\ufffd", "lone": "\ufffd", "pair": "🧠", "kept": "\\u0000"},
        None,
    )
    reject = connection.execute("SELECT length(series_uid), detail FROM reject").fetchone()
    assert reject == (2000, hostile)


def test_load_run_brings_the_rejects_of_ingest_runs_along(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    synthetic.publish_ingest(object_store, "i1", [synthetic.reject_row("1.2.3", step="stage", code="download_short")])
    object_store.put("runs/ingest/broken/published.json", b"<html>")
    synthetic.publish(object_store, "r1", synthetic.tables([0]))
    assert load_run(connection, object_store, "r1").ingest_runs == ("i1",)
    assert load_run(connection, object_store, "r1").ingest_runs == ()
    assert connection.execute("SELECT series_uid, code, step FROM reject").fetchall() == [
        ("1.2.3", "download_short", "stage")
    ]
    steps = connection.execute("SELECT step, run, series_count, reject_count FROM ingest_run ORDER BY 1").fetchall()
    assert steps == [("ingest", "i1", 0, 1), ("normalize", "r1", 1, 0)]


def test_load_run_removes_the_reject_of_a_series_that_was_staged_after_all(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    staged = synthetic.tables([0])
    identity = {"archive": staged.series[0]["archive"], "collection": staged.series[0]["collection"]}
    uid = synthetic.uid(0)
    rejects = [
        synthetic.reject_row(uid, step="stage", code="checksum_mismatch", **identity),
        synthetic.reject_row(uid, step="stage", code="series_content_conflict", fatal=False, **identity),
        synthetic.reject_row(synthetic.uid(1), step="stage", code="checksum_mismatch", **identity),
    ]
    synthetic.publish_ingest(object_store, "i1", rejects)
    load_ingests(connection, object_store)
    assert connection.execute("SELECT count(*) FROM reject").fetchone() == (3,)
    synthetic.publish(object_store, "r1", staged)
    load_run(connection, object_store, "r1")
    left = connection.execute("SELECT series_uid, code FROM reject ORDER BY 1").fetchall()
    assert sorted(left) == sorted([(uid, "series_content_conflict"), (synthetic.uid(1), "checksum_mismatch")])


def test_load_ingests_without_a_normalize_run_loads_rejects(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    synthetic.publish_ingest(object_store, "i1", [synthetic.reject_row("1.2.3", step="manifest")])
    assert load_ingests(connection, object_store) == ("i1",)
    assert load_ingests(connection, object_store) == ()
    assert connection.execute("SELECT count(*) FROM reject").fetchone() == (1,)


def test_pending_runs_tells_the_names_that_were_published(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    name = "manual__2026-01-01T00:00:00+00:00/x"
    synthetic.publish(object_store, name, synthetic.tables([0]))
    assert pending_runs(connection, object_store) == [name]
    load_run(connection, object_store, name)
    assert pending_runs(connection, object_store) == []


def test_load_run_that_was_never_published_is_rejected(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    with pytest.raises(RejectedInput) as caught:
        load_run(connection, object_store, "nowhere")
    assert caught.value.code is Code.OBJECT_MISSING


def test_load_run_inside_a_transaction_is_refused(postgres_dsn: str, object_store: ObjectStore) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("SELECT 1")
        with pytest.raises(ConfigurationError):
            load_run(connection, object_store, "r1")


def test_labels_decide_named_queries_by_precedence(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    run = synthetic.tables(range(5))
    run.labels += [
        synthetic.label_row(0, tumor=True, source="collection"),
        synthetic.label_row(0, tumor=False, source="mask", index=0),
        synthetic.label_row(0, tumor=True, source="reader", index=0),
        synthetic.label_row(0, tumor=False, source="mask", index=1),
        synthetic.label_row(1, tumor=False, source="reader"),
        synthetic.label_row(1, tumor=True, source="mask"),
        synthetic.label_row(2, tumor=True, source="model:7"),
        synthetic.label_row(3, tumor=True, source="mask", index=3),
        synthetic.label_row(3, tumor=True, source="mask", index=77),
        synthetic.label_row(99, tumor=True, source="collection"),
    ]
    synthetic.publish(object_store, "r1", run)
    load_run(connection, object_store, "r1")
    queries = snapshot_of(connection).queries
    with connection.transaction():
        answers = {
            query.name: (query.slice_count, list(named_query_slices(connection, query.name))) for query in queries
        }
    found = {
        name: {(item.series_uid, item.slice_index) for item in items} for name, (_, items) in answers.items() if items
    }
    assert found == {
        "withtumor_ax": {
            (synthetic.uid(0), 0), (synthetic.uid(0), 2), (synthetic.uid(0), 3), (synthetic.uid(3), 3),
        },
        "notumor_ax": {(synthetic.uid(0), 1), *((synthetic.uid(1), index) for index in range(4))},
    }  # fmt: skip
    for name, (count, items) in answers.items():
        assert count == len(items), name


def test_labels_of_a_pack_lie_on_neighbouring_pages(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    run = synthetic.tables(range(40), slices=30)
    marks = itertools.product(range(30), range(40))  # a pack's labels come far from one another
    run.labels += [synthetic.label_row(n, tumor=i > 9, source="mask", index=i) for i, n in marks]
    synthetic.publish(object_store, "masks", run)
    load_run(connection, object_store, "masks")
    pages = connection.execute(
        "SELECT count(DISTINCT (ctid::text::point)[0]) FROM label GROUP BY pack_id ORDER BY 1 DESC"
    ).fetchall()
    assert len(pages) == 40
    assert sum(count for (count,) in pages) / len(pages) < 2


def without(store: ObjectStore, run: str, table: str, column: str) -> None:
    """Publish `run` again under another name, with row files of `table` that lack `column`."""
    content = json.loads(store.get(keys.run_object("normalize", run, "published.json")))
    parts = []
    for part in content["parts"]:
        tables = {name: pq.read_table(io.BytesIO(store.get(key))) for name, key in part["tables"].items()}
        parts.append({**tables, table: tables[table].drop_columns([column])})
    synthetic.publish_arrow(store, f"{run} without {column}", parts)


def test_row_files_from_before_a_column_came_leave_it_unknown(
    connection: psycopg.Connection[Any], object_store: ObjectStore
) -> None:
    synthetic.publish(object_store, "r1", synthetic.tables([0]))
    without(object_store, "r1", "series", "echo_time_ms")
    load_run(connection, object_store, "r1 without echo_time_ms")
    assert connection.execute("SELECT echo_time_ms, flip_angle_deg FROM series").fetchall() == [(None, 9.0)]


@pytest.mark.parametrize(
    ("table", "column"), [("series", "subject"), ("series", "rows"), ("packs", "plane"), ("slices", "crc32")]
)
def test_row_files_without_a_column_that_is_needed_are_rejected(
    connection: psycopg.Connection[Any], object_store: ObjectStore, table: str, column: str
) -> None:
    synthetic.publish(object_store, "r1", synthetic.tables([0]))
    without(object_store, "r1", table, column)
    with pytest.raises(RejectedInput) as caught:
        load_run(connection, object_store, f"r1 without {column}")
    assert caught.value.code is Code.CATALOG_CHECK_FAILED
    assert connection.execute("SELECT count(*) FROM series").fetchone() == (0,)


def test_the_table_of_series_has_the_columns_and_types_of_the_list_of_fields(
    connection: psycopg.Connection[Any],
) -> None:
    stored = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = 'series'::regclass AND attnum > 0 AND NOT attisdropped"
    ).fetchall()
    listed = {
        (field.name, str(field.type), field.required)
        for field in SERIES_FIELDS
        if field.origin in {Origin.ROW, Origin.LOAD}
    }
    assert set(stored) == listed
