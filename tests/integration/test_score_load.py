"""Scores from plan to catalogue on a real PostgreSQL and a real S3: once, again, by a second model, killed between."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from braingranary.catalog import model_registry as models
from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.load.score_run import load_scores, pending_score_runs
from braingranary.catalog.model_registry import ModelRecord
from braingranary.catalog.read.series import Labels
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.sql import statement
from braingranary.detector.contracts import score_run
from braingranary.detector.contracts.score_run import ScoreJob
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.orchestration.model_files import register_weights
from braingranary.orchestration.score_plan import score_job
from braingranary.records import Plane
from braingranary.settings import StoreSettings
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore
from tests.fixtures import score_set
from tests.fixtures.named_slices import named_query_slices
from tests.fixtures.snapshots import snapshot_of
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

# ruff: noqa: S608 - names of tables from a constant of this file
Connection = psycopg.Connection[Any]
TABLES = ("series_prediction", "slice_prediction", "named_query", "reject")


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[Connection]:
    """Whatever a test does with models and scores, the series have to stand told as they are behind it."""
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def place(s3_settings: StoreSettings) -> StoreLocation:
    return StoreLocation.of(s3_settings)


def dump(connection: Connection, *, with_xmin: bool = False) -> dict[str, Any]:
    head = "xmin::text, " if with_xmin else ""
    return {
        table: connection.execute(f"SELECT {head}t::text FROM {table} AS t ORDER BY t::text").fetchall()
        for table in TABLES
    }


def state(connection: Connection) -> Any:
    return connection.execute(statement("queries/catalogue_state")).fetchone()


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def scored(connection: Connection, store: ObjectStore, place: StoreLocation, model: ModelRecord, run: str) -> ScoreJob:
    job = score_job(connection, place, run, model)
    score_set.score_here(store, job)
    return job


def test_plan_score_load_keeps_every_slice_and_then_nothing_is_left_to_do(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, range(3))
    model = score_set.registered(connection, object_store)
    job = scored(connection, object_store, place, model, "s1")
    assert pending_score_runs(connection, object_store) == ["s1"]

    report = load_scores(connection, object_store, "s1")

    assert (report.series, report.slices, report.rejects, report.series_changed) == (3, 24, 0, 3)
    assert pending_score_runs(connection, object_store) == []
    assert score_job(connection, place, "s2", model).series == ()
    assert len(score_job(connection, place, "s2", model, force=True, limit=2).series) == 2
    rows = connection.execute(
        "SELECT p.series_id, k.plane, p.slice_count, p.declined, p.input_sha256 = scoring_input(p.series_id)"
        " FROM series_prediction p JOIN pack k ON k.pack_id = p.peak_pack_id"
    ).fetchall()
    assert [row[1:] for row in rows] == [("axial", 4, False, True)] * 3
    assert {row[0] for row in rows} == {one.series_id for one in job.series}
    assert count(connection, "slice_prediction") == 24


def test_load_twice_changes_no_row_and_an_older_run_does_not_win(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, range(2))
    model = score_set.registered(connection, object_store)
    first = scored(connection, object_store, place, model, "s1")
    load_scores(connection, object_store, "s1")
    before, state_before = dump(connection, with_xmin=True), state(connection)
    assert load_scores(connection, object_store, "s1").already_loaded
    assert dump(connection, with_xmin=True) == before
    assert state(connection) == state_before

    # The same packs by the same model under another name, published before: it has nothing to say any more.
    score_set.score_here(object_store, replace(first, run="s0"))
    connection.execute("UPDATE series_prediction SET published_at = published_at + interval '1 hour'")
    before = dump(connection, with_xmin=True)
    assert load_scores(connection, object_store, "s0").series_changed == 0
    assert dump(connection, with_xmin=True) == before


def test_second_model_stands_beside_the_first_and_takes_over_when_activated(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, range(2))
    first = score_set.registered(connection, object_store)
    second = score_set.registered(connection, object_store, "tiny-2", seed=5, tumor_threshold=0.0)
    assert (first.active, second.active) == (True, False)
    for number, model in enumerate((first, second)):
        assert len(scored(connection, object_store, place, model, f"s{number}").series) == 2
        load_scores(connection, object_store, f"s{number}")
    assert count(connection, "slice_prediction") == 32
    assert {row[0] for row in connection.execute("SELECT source FROM slice_model").fetchall()} == {"model:tiny-1"}

    before = state(connection)
    models.activate(connection, "tiny-2")
    activated = state(connection)
    models.activate(connection, "tiny-2")

    assert before < activated == state(connection)
    assert [record.version for record in models.listed(connection) if record.active] == ["tiny-2"]
    told = {query.name: query.model_slice_count for query in snapshot_of(connection).queries}
    assert (told["withtumor_ax"], told["withtumor_cor"], told["notumor_ax"]) == (8, 8, 0)
    assert {row[0] for row in connection.execute("SELECT source FROM slice_model").fetchall()} == {"model:tiny-2"}


def test_named_queries_count_truth_and_offer_the_model_only_where_no_truth_speaks(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    labels = [
        synthetic.label_row(0, tumor=True, source="collection"),
        synthetic.label_row(0, tumor=False, source="mask", index=0),
        synthetic.label_row(1, tumor=True, source="mask", index=2),
        synthetic.label_row(2, tumor=True, source="model:rumour"),
    ]
    score_set.catalogue(connection, object_store, range(3), planes=(Plane.AXIAL,), labels=labels)
    model = score_set.registered(connection, object_store, tumor_threshold=0.0)
    scored(connection, object_store, place, model, "s1")
    load_scores(connection, object_store, "s1")

    found: dict[tuple[str, str], dict[tuple[str, int], str]] = {}
    queries = {query.name: query for query in snapshot_of(connection).queries}
    with connection.transaction():
        choices: tuple[Labels, ...] = ("truth", "model", "all")
        for name in ("withtumor_ax", "notumor_ax"):
            for labels_wanted in choices:
                items = list(named_query_slices(connection, name, labels_wanted))
                found[name, labels_wanted] = {(i.series_uid, i.slice_index): i.label_source for i in items}
    uid = synthetic.uid
    truth = {(uid(0), 1): "collection", (uid(0), 2): "collection", (uid(0), 3): "collection", (uid(1), 2): "mask"}
    word = {(uid(1), index): "model:tiny-1" for index in (0, 1, 3)} | {
        (uid(2), index): "model:tiny-1" for index in range(4)
    }
    assert found["withtumor_ax", "truth"] == truth
    assert found["withtumor_ax", "model"] == word
    assert found["withtumor_ax", "all"] == truth | word
    assert found["notumor_ax", "all"] == found["notumor_ax", "truth"] == {(uid(0), 0): "mask"}
    with_tumor = queries["withtumor_ax"]
    assert (with_tumor.slice_count, with_tumor.series_count) == (len(truth), 2)
    assert (with_tumor.model_slice_count, with_tumor.model_series_count) == (len(word), 2)
    assert queries["notumor_ax"].model_slice_count == 0


def test_repacked_series_loses_its_prediction_and_an_old_run_cannot_bring_it_back(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, range(2))
    model = score_set.registered(connection, object_store)
    late = scored(connection, object_store, place, model, "s1")
    load_scores(connection, object_store, "s1")
    score_set.score_here(object_store, replace(late, run="late"))

    changed = synthetic.tables([1], planes=(Plane.AXIAL,), slices=5)  # also drops the coronal pack
    score_set.store_packs(object_store, changed)
    synthetic.publish(object_store, "n2", changed)
    connection.execute("UPDATE series SET published_at = published_at - interval '1 hour'")
    load_run(connection, object_store, "n2")

    assert count(connection, "series_prediction") == 1
    assert count(connection, "slice_prediction") == 8
    assert load_scores(connection, object_store, "late").series_changed <= 1
    assert count(connection, "series_prediction") == 1
    again = scored(connection, object_store, place, model, "s2")
    assert [(one.series_uid, len(one.packs)) for one in again.series] == [(synthetic.uid(1), 1)]
    load_scores(connection, object_store, "s2")
    assert count(connection, "slice_prediction") == 8 + 5


def test_spoilt_pack_is_a_reject_that_leaves_when_the_series_is_scored(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, range(3))
    model = score_set.registered(connection, object_store)
    job = score_job(connection, place, "s1", model)
    spoilt = job.series[1].packs[0]
    good = object_store.get(spoilt.object_key)
    object_store.put(spoilt.object_key, good[:-1] + b"?")
    score_set.score_here(object_store, job)
    report = load_scores(connection, object_store, "s1")
    assert (report.series, report.rejects) == (2, 1)
    told = connection.execute("SELECT series_uid, code, step, fatal FROM reject").fetchall()
    assert told == [(job.series[1].series_uid, "checksum_mismatch", "score", False)]

    object_store.put(spoilt.object_key, good)
    assert len(scored(connection, object_store, place, model, "s2").series) == 1
    connection.execute("UPDATE reject SET published_at = published_at - interval '1 hour'")
    load_scores(connection, object_store, "s2")
    assert count(connection, "reject") == 0
    assert count(connection, "series_prediction") == 3


def test_killed_in_the_middle_of_a_load_leaves_nothing_and_the_next_try_ends_as_a_clean_one(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, range(2))
    model = score_set.registered(connection, object_store)
    job = scored(connection, object_store, place, model, "s1")
    before = dump(connection)
    connection.execute(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION USING errcode = ''57P01''; END';"  # what a server says that is shut down
        " CREATE TRIGGER stop BEFORE INSERT ON score_run EXECUTE FUNCTION stop()"
    )
    with pytest.raises(TransientFailure):
        load_scores(connection, object_store, "s1")
    assert dump(connection) == before
    connection.execute("DROP FUNCTION stop CASCADE")
    load_scores(connection, object_store, "s1")
    ended = dump(connection)

    for table in ("score_run", "series_prediction", "slice_prediction"):
        connection.execute(f"DELETE FROM {table}")
    load_scores(connection, object_store, "s1")

    assert dump(connection) == ended
    assert count(connection, "series_prediction") == len(job.series)


def test_register_is_idempotent_and_refuses_other_weights_under_a_known_version(
    connection: Connection, object_store: ObjectStore
) -> None:
    data, sha256 = score_set.weights()
    first = register_weights(connection, object_store, data, sha256, figures={"auc": 0.5})
    again = register_weights(connection, object_store, data, sha256)
    assert again == first
    assert again.figures == {"auc": 0.5}
    assert again.active
    assert object_store.get(first.weights_key) == data
    other, other_sha256 = score_set.weights(seed=1)
    with pytest.raises(RejectedInput) as caught:
        register_weights(connection, object_store, other, other_sha256)
    assert caught.value.code is Code.MODEL_INVALID
    with pytest.raises(RejectedInput) as caught:
        register_weights(connection, object_store, data, other_sha256)
    assert caught.value.code is Code.MODEL_INVALID
    with pytest.raises(RejectedInput) as caught:
        models.activate(connection, "unknown")
    assert caught.value.code is Code.NOT_FOUND
    assert [record.version for record in models.listed(connection)] == ["tiny-1"]


def test_run_of_an_unknown_model_is_refused(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, [0])
    model = score_set.registered(connection, object_store)
    scored(connection, object_store, place, model, "s1")
    connection.execute("DELETE FROM model")
    with pytest.raises(RejectedInput) as caught:
        load_scores(connection, object_store, "s1")
    assert caught.value.code is Code.MODEL_INVALID


def test_published_rows_with_a_missing_slice_or_a_nan_are_refused(
    connection: Connection, object_store: ObjectStore, place: StoreLocation
) -> None:
    score_set.catalogue(connection, object_store, [0])
    model = score_set.registered(connection, object_store)
    job = scored(connection, object_store, place, model, "s1")
    part = score_run.read_published(object_store, "s1").parts[0]
    key = part.tables["slices"]
    whole = object_store.get(key)
    rows = pq.read_table(io.BytesIO(whole)).to_pylist()
    spoilt = {"slices_fill_their_pack": rows[1:], "slice_values": [{**rows[0], "tumor_logit": float("nan")}, *rows[1:]]}
    for check, wrong in spoilt.items():
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(wrong, schema=score_run.SLICES), sink)
        object_store.put(key, sink.getvalue())
        with pytest.raises(RejectedInput, match=check) as caught:
            load_scores(connection, object_store, "s1")
        assert caught.value.code is Code.CATALOG_CHECK_FAILED
        assert count(connection, "slice_prediction") == 0
    object_store.put(key, whole)
    assert load_scores(connection, object_store, "s1").series_changed == len(job.series)
