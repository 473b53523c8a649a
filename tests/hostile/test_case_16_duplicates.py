"""Case 16: the same series twice, at once, zipped otherwise, and with new bytes. One stands; a conflict is recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from braingranary.archives import ingest, runs
from braingranary.archives.base import Query
from braingranary.archives.staging import stage_series
from braingranary.devstack.sample_archive import SampleArchive
from braingranary.errors import Code
from braingranary.storage.store import ObjectStore
from tests.fixtures.archive import add_series, client, listing

COPIES = 8


def zips(store: ObjectStore) -> list[str]:
    return [key for key in listing(store, "raw/") if key.endswith(".zip")]


@pytest.mark.hostile
@pytest.mark.stack
def test_stage_series_same_series_at_once_in_different_zips_leaves_one(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    """Servers that zip differently send other bytes of the same images: one zip stays, nothing is a conflict."""
    add_series(tmp_path, 1, slices=40, rows=64, columns=64)
    servers = [SampleArchive(tmp_path, deflate_level=level) for level in range(COPIES)]
    for server in servers:
        server.start()
    try:

        def stage(server: SampleArchive) -> str | None:
            with client(server) as archive:
                record = next(archive.series(Query()))
                staged = stage_series(object_store, archive, record, force=True)
                assert staged.reject is None
                return staged.raw_key

        with ThreadPoolExecutor(COPIES) as pool:
            named = set(pool.map(stage, servers))
    finally:
        for server in servers:
            server.stop()
    standing = zips(object_store)
    duplicates = len(standing) - 1
    assert named == set(standing)
    assert duplicates == 0
    assert sum(key.endswith(".receipt.json") for key in listing(object_store, "raw/")) == 1
    print(f"case 16 duplicates: duplicates={duplicates} of {COPIES} copies at once")


@pytest.mark.hostile
@pytest.mark.stack
def test_ingest_same_uid_with_new_bytes_keeps_the_first_and_records_the_conflict(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    add_series(tmp_path, 1, slices=3)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        ingest.write_manifest(object_store, "first", archive, Query())
        ingest.stage_batch(object_store, "first", 0, archive)
        before = listing(object_store, "raw/")
        add_series(tmp_path, 1, slices=3, bits_stored=10)
        server.index.refresh()
        for run in ("second", "third"):
            ingest.write_manifest(object_store, run, archive, Query())
            ingest.stage_batch(object_store, run, 0, archive, force=True)
            ingest.publish(object_store, run)
    published = [runs.read_published(object_store, run) for run in ("second", "third")]
    assert listing(object_store, "raw/") == before
    for told in published:
        (reject,) = told.rejects
        assert reject.code is Code.SERIES_CONTENT_CONFLICT
        assert not reject.fatal
        assert told.raw_keys == tuple(zips(object_store))
    kept = [key for key in listing(object_store, "quarantine/") if key.endswith(".bin")]
    assert len(kept) == 1
    assert published[0].rejects[0].object_key == kept[0]
    print(f"case 16 new_bytes: duplicates={len(zips(object_store)) - 1} conflicts recorded={len(published)}")
