"""Case 37: a run that is run again after the archive or its Params changed acts on the archive's present answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from braingranary.archives import ingest, runs
from braingranary.archives.base import Query
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.storage.store import ObjectStore
from tests.fixtures.archive import add_series, client, listing

pytestmark = [pytest.mark.hostile, pytest.mark.stack]


def whole_run(store: ObjectStore, server: SampleArchive, query: Query) -> set[str]:
    """Run the run once more; returns the SeriesInstanceUIDs that it published."""
    with client(server) as archive:
        manifest = ingest.write_manifest(store, "again", archive, query, 2)
        for index in range(len(manifest.batches)):
            ingest.stage_batch(store, "again", index, archive)
        name = ingest.publish(store, "again")
    assert name is not None
    return {key.split("/")[3] for key in runs.read_published(store, name).raw_keys}


def test_run_again_acts_on_the_present_answer(object_store: ObjectStore, tmp_path: Path) -> None:
    stale = 0
    first = {add_series(tmp_path, number, slices=1) for number in range(3)}
    with SampleArchive(tmp_path) as server:
        stale += whole_run(object_store, server, Query()) != first
        late = {add_series(tmp_path, number, slices=1) for number in (7, 8)}
        server.index.refresh()
        stale += whole_run(object_store, server, Query()) != first | late  # published late
        with client(server) as archive:
            manifest = ingest.write_manifest(object_store, "again", archive, Query(limit=1), 2)
        stale += manifest.series != 1  # with changed Params
        before = {key: tag for key, tag in listing(object_store).items() if "/manifest.json" not in key}
        stale += whole_run(object_store, server, Query()) != first | late
        after = {key: tag for key, tag in listing(object_store).items() if "/manifest.json" not in key}
        assert after == before
    assert stale == 0
    print(f"case 37 asked_again: stale manifests={stale} of 4 runs again")


def test_empty_answer_is_confirmed_before_it_counts_as_nothing(object_store: ObjectStore, tmp_path: Path) -> None:
    uid = add_series(tmp_path, 1, slices=1)
    with SampleArchive(tmp_path) as server:
        server.plan.add(FaultRule(fault=Fault.EMPTY, endpoint="getSeries", times=1))
        assert whole_run(object_store, server, Query()) == {uid}
        assert server.stats.requests["getSeries"] == 2
        with client(server) as archive:
            assert list(archive.series(Query(collections=("None",)))) == []
        assert server.stats.requests["getSeries"] == 4  # and no more than once


def test_batch_result_of_an_earlier_manifest_is_not_published(object_store: ObjectStore, tmp_path: Path) -> None:
    add_series(tmp_path, 1, slices=1)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        ingest.write_manifest(object_store, "again", archive, Query(), 2)
        ingest.stage_batch(object_store, "again", 0, archive)
        add_series(tmp_path, 0, slices=1)
        server.index.refresh()
        ingest.write_manifest(object_store, "again", archive, Query(), 2)
        assert ingest.publish(object_store, "again") is None  # its one batch has not been staged
        ingest.stage_batch(object_store, "again", 0, archive)
        assert ingest.publish(object_store, "again") == "again"
    assert len(runs.read_published(object_store, "again").raw_keys) == 2
