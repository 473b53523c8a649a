"""Case 15: one flipped byte with a matching CRC, and wrong MD5s: found, kept in quarantine, and the run goes on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from braingranary.archives import ingest, runs
from braingranary.archives.base import Query
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.errors import Code
from braingranary.storage.store import ObjectStore
from braingranary.storage.uploads import unfinished_uploads
from tests.fixtures.archive import add_large_series, add_series, client, listing

SERIES = 12


@pytest.mark.hostile
@pytest.mark.stack
@pytest.mark.parametrize("fault", [Fault.FLIPPED_BYTE, Fault.WRONG_MD5])
def test_ingest_damaged_image_is_quarantined_and_the_run_goes_on(
    object_store: ObjectStore, tmp_path: Path, fault: Fault
) -> None:
    bad = [add_series(tmp_path, number, slices=3) for number in range(SERIES)] + [add_large_series(tmp_path, 50)]
    good = [add_series(tmp_path, 100 + number, slices=3) for number in range(SERIES)]
    with SampleArchive(tmp_path, deflate_level=0) as server, client(server) as archive:
        for uid in bad:
            server.plan.add(FaultRule(fault=fault, series_uid=uid))
        manifest = ingest.write_manifest(object_store, "damaged", archive, Query(), 50)
        assert manifest.series == len(bad) + len(good)
        ingest.stage_batch(object_store, "damaged", 0, archive)
        ingest.publish(object_store, "damaged")
    published = runs.read_published(object_store, "damaged")
    staged = {key.split("/")[3] for key in published.raw_keys}
    undetected = len(staged & set(bad))
    assert undetected == 0
    assert staged == set(good)
    assert {reject.series_uid for reject in published.rejects} == set(bad)
    assert {reject.code for reject in published.rejects} == {Code.CHECKSUM_MISMATCH}
    for reject in published.rejects:
        assert reject.object_key is not None
        digest = hashlib.sha256(object_store.get(reject.object_key)).hexdigest()
        assert reject.object_key.endswith(f"checksum_mismatch-{digest}.bin")
    assert not [key for key in listing(object_store, "raw/") if key.split("/")[3] in bad]
    assert list(unfinished_uploads(object_store, "")) == []
    print(f"case 15 checksum: {fault} undetected={undetected} of {len(bad)}")


@pytest.mark.hostile
@pytest.mark.stack
def test_ingest_damage_on_the_way_only_once_is_mended_by_asking_again(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    add_series(tmp_path, 1, slices=3)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        server.plan.add(FaultRule(fault=Fault.FLIPPED_BYTE, times=1))
        ingest.write_manifest(object_store, "mended", archive, Query(), 50)
        result = ingest.stage_batch(object_store, "mended", 0, archive)
    assert result.counts["staged"] == 1
    assert listing(object_store, "quarantine/") == {}
