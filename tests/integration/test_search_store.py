"""Snapshots of a host: built aside, renamed when whole, by one process at a time, and answered from until a newer."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.search import snapshot as snapshots
from braingranary.catalog.search import store as stores
from braingranary.catalog.search.snapshot import SUFFIX, UNFINISHED
from braingranary.catalog.search.store import SnapshotStore
from braingranary.errors import Code, TransientFailure
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack


@pytest.fixture
def dsn(postgres_dsn: str) -> str:
    """A migrated, empty catalogue."""
    migrate(postgres_dsn)
    return postgres_dsn


def store_of(dsn: str, folder: Path) -> SnapshotStore:
    """The snapshots as one more process has them."""

    @contextmanager
    def connect() -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection

    return SnapshotStore(folder, connect)


def load(dsn: str, objects: ObjectStore, run: str, numbers: range) -> None:
    synthetic.publish(objects, run, synthetic.tables(numbers))
    with psycopg.connect(dsn, autocommit=True) as connection:
        load_run(connection, objects, run)


def finished(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def test_store_without_a_snapshot_is_not_ready(dsn: str, tmp_path: Path) -> None:
    store = store_of(dsn, tmp_path)
    with pytest.raises(TransientFailure) as caught:
        store.check()
    assert caught.value.code is Code.SEARCH_NOT_READY
    assert store.refresh()
    assert len(store.current.frame) == 0, "an empty catalogue has a snapshot too"
    assert store.current.totals.series_count == 0


def test_refresh_takes_each_new_state_once_and_removes_the_older_file(
    dsn: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    store = store_of(dsn, tmp_path)
    load(dsn, object_store, "one", range(3))
    assert store.refresh()
    first = store.current
    assert not store.refresh()
    load(dsn, object_store, "two", range(2, 5))
    assert store.refresh()
    assert (len(first.frame), len(store.current.frame)) == (3, 5)
    assert first.state != store.current.state
    assert first.frame["series_uid"].to_list(), "who has it mapped keeps it"
    assert len(finished(tmp_path)) == 1
    with psycopg.connect(dsn, autocommit=True) as connection:
        load_run(connection, object_store, "two")
    assert not store.refresh(), "a replay is no other state"


def test_second_process_takes_what_the_first_has_built(
    dsn: str, object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(dsn, object_store, "one", range(3))
    assert store_of(dsn, tmp_path).refresh()
    monkeypatch.delattr(stores, "build")
    second = store_of(dsn, tmp_path)
    assert second.refresh()
    assert len(second.current.frame) == 3


def test_process_beside_a_builder_answers_from_the_newest_finished_snapshot(
    dsn: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    load(dsn, object_store, "one", range(3))
    assert store_of(dsn, tmp_path).refresh()
    load(dsn, object_store, "two", range(3, 5))
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = store_of(dsn, tmp_path)
        assert second.refresh()
        assert len(second.current.frame) == 3, "somebody else builds the newer one"
        assert not second.refresh()
    assert second.refresh()
    assert len(second.current.frame) == 5


def build_and_die(dsn: str, folder: Path) -> None:
    """Be killed while the rows are being written."""

    def dying(*_arguments: object) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    pytest.MonkeyPatch().setattr(snapshots, "_stored", dying)
    store_of(dsn, folder).refresh()


def test_builder_killed_in_the_middle_leaves_the_older_snapshot(
    dsn: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    load(dsn, object_store, "one", range(3))
    store = store_of(dsn, tmp_path)
    assert store.refresh()
    load(dsn, object_store, "two", range(3, 5))
    child = multiprocessing.get_context("fork").Process(target=build_and_die, args=(dsn, tmp_path))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert len(finished(tmp_path)) == 1
    assert [path for path in tmp_path.iterdir() if path.suffix == UNFINISHED]
    assert len(store.current.frame) == 3
    assert store.refresh()
    assert len(store.current.frame) == 5
    assert not [path for path in tmp_path.iterdir() if path.suffix == UNFINISHED]


def test_build_that_fails_leaves_nothing_behind(
    dsn: str, object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(dsn, object_store, "one", range(3))

    def failing(*_arguments: object) -> Any:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_stored", failing)
        with pytest.raises(OSError, match="no space"):
            store_of(dsn, tmp_path).refresh()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_texts_keep_quotes_line_feeds_and_the_difference_between_empty_and_unknown(
    dsn: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    run = synthetic.tables(range(4))
    texts = ['a "quoted", text', "two\nlines", "", None]
    for row, text in zip(run.series, texts, strict=True):
        row["series_description"] = text
    synthetic.publish(object_store, "one", run)
    with psycopg.connect(dsn, autocommit=True) as connection:
        load_run(connection, object_store, "one")
    store = store_of(dsn, tmp_path)
    store.refresh()
    kept = dict(store.current.frame.select("series_uid", "series_description").rows())
    assert [kept[synthetic.uid(number)] for number in range(4)] == texts


def test_codes_of_texts_are_narrow_and_read_over_the_bytes_of_the_file(
    dsn: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    load(dsn, object_store, "one", range(300))
    store = store_of(dsn, tmp_path)
    assert store.refresh()
    frame = store.current.frame
    assert frame["plane"].to_physical().dtype == pl.UInt8
    assert frame["series_description"].n_unique() > 255
    assert frame["series_description"].to_physical().dtype == pl.UInt16
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT series_description, plane FROM series_snapshot ORDER BY series_id").fetchall()
    assert frame.select("series_description", "plane").rows() == rows
