from __future__ import annotations

import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from braingranary.archives import ingest, runs
from braingranary.archives.base import Query
from braingranary.archives.staging import read_canonical
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.errors import Code, TransientFailure
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from braingranary.storage.uploads import unfinished_uploads
from tests.fixtures.archive import add_large_series, add_series, client, listing, override
from tests.fixtures.patience import PATIENCE_S

pytestmark = pytest.mark.stack

STAGE = """
import sys
from braingranary.archives import ingest
from braingranary.archives.addresses import AddressPolicy
from braingranary.archives.tcia.client import TciaArchive, TciaSettings
from braingranary.settings import load_store_settings
from braingranary.storage.store import ObjectStore
with TciaArchive(TciaSettings(base_url=sys.argv[1], policy=AddressPolicy.trusting(sys.argv[1]))) as archive:
    ingest.stage_batch(ObjectStore.from_settings(load_store_settings()), sys.argv[2], 0, archive)
"""


def run_all(store: ObjectStore, server: SampleArchive, run: str, *, force: bool = False) -> runs.PublishedIngest:
    with client(server) as archive:
        manifest = ingest.write_manifest(store, run, archive, Query(), 3)
        for index in range(len(manifest.batches)):
            ingest.stage_batch(store, run, index, archive, force=force)
        ingest.publish(store, run)
    return runs.read_published(store, run)


def test_ingest_same_run_again_changes_not_one_object(object_store: ObjectStore, tmp_path: Path) -> None:
    for number in range(5):
        add_series(tmp_path, number, slices=2)
    with SampleArchive(tmp_path) as server:
        first = run_all(object_store, server, "nightly")
        before = [(item.key, item.etag, item.modified) for item in object_store.list()]
        asked = server.stats.requests["getImage"]
        assert run_all(object_store, server, "nightly") == first
        assert server.stats.requests["getImage"] == asked == 5
        assert run_all(object_store, server, "nightly", force=True) == first
        assert (
            server.stats.requests["getImage"] == 10
        )  # changed Params are asked for, and equal content changes nothing
        assert [(item.key, item.etag, item.modified) for item in object_store.list()] == before
        other = run_all(object_store, server, "next")
        assert server.stats.requests["getImage"] == 10
        assert server.stats.at_once_max <= 4
    assert first.counts["staged"] == 5
    assert (other.counts["staged"], other.counts["already"]) == (0, 5)
    assert other.raw_keys == first.raw_keys


def test_ingest_receipt_keeps_licence_and_proof(object_store: ObjectStore, tmp_path: Path) -> None:
    add_series(tmp_path, 1, slices=3)
    override(tmp_path, "Heads", LicenseName="CC BY 3.0", DataDescriptionURI="https://doi.org/10.7937/x")
    with SampleArchive(tmp_path, released=date(2026, 5, 4)) as server, client(server) as archive:
        record = next(archive.series(Query()))
        run_all(object_store, server, "one")
    receipt = read_canonical(object_store, record)
    assert receipt is not None
    assert (receipt.record.license_name, receipt.record.citation_url) == ("CC BY 3.0", "https://doi.org/10.7937/x")
    assert (receipt.image_count, receipt.md5_verified, receipt.record.released) == (3, 3, date(2026, 5, 4))
    zips = [item for item in object_store.list("raw/") if item.key.endswith(".zip")]
    assert [(item.key, item.size) for item in zips] == [(receipt.raw_key, receipt.zip_bytes)]


def test_ingest_killed_while_staging_goes_on_where_it_was(
    object_store: ObjectStore, s3_settings: StoreSettings, tmp_path: Path
) -> None:
    for number in range(3):
        add_series(tmp_path, number, slices=2)
    large = add_large_series(tmp_path, 9)
    assert s3_settings.secret_key is not None
    env = {
        "GRANARY_S3_BUCKET": s3_settings.bucket,
        "GRANARY_S3_ENDPOINT_URL": str(s3_settings.endpoint_url),
        "GRANARY_S3_ACCESS_KEY": str(s3_settings.access_key),
        "GRANARY_S3_SECRET_KEY": s3_settings.secret_key.get_secret_value(),
    }
    with SampleArchive(tmp_path, deflate_level=0) as server:
        with client(server) as archive:
            ingest.write_manifest(object_store, "killed", archive, Query(), 10)
        # The large one stalls near its end, when the small ones are staged.
        server.plan.add(FaultRule(fault=Fault.STALL, series_uid=large, times=1))
        child = subprocess.Popen([sys.executable, "-c", STAGE, server.url, "killed"], env=env)
        until = time.monotonic() + PATIENCE_S
        while len(listing(object_store, "raw/")) < 9 or server.stats.series[large] < 1:
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.05)
        child.kill()
        child.wait()
        assert not [key for key in listing(object_store, "raw/") if large in key]
        asked = dict(server.stats.series)
        with client(server) as archive:
            result = ingest.stage_batch(object_store, "killed", 0, archive)
            ingest.publish(object_store, "killed")
        again = {uid: count - asked[uid] for uid, count in server.stats.series.items() if count > asked[uid]}
    assert again == {large: 1}
    assert (result.counts["staged"], result.counts["already"]) == (1, 3)
    assert list(unfinished_uploads(object_store, "")) == []


def test_publish_ends_the_unfinished_uploads_of_its_own_series_alone(object_store: ObjectStore, tmp_path: Path) -> None:
    uid = add_series(tmp_path, 1, slices=2)
    with SampleArchive(tmp_path) as server:
        run_all(object_store, server, "first")
        folder = next(item.key for item in object_store.list("raw/") if uid in item.key).rpartition("/")[0]
        begun = [f"{folder}/half.zip", f"{folder}1/half.zip", "raw/other/half.zip"]
        for key in begun:
            object_store.client.create_multipart_upload(Bucket=object_store.bucket, Key=key)
        run_all(object_store, server, "second")
    assert sorted(upload.key for upload in unfinished_uploads(object_store, "")) == sorted(begun[1:])


def test_full_disk_fails_the_batch_without_asking_the_archive_again(object_store: ObjectStore, tmp_path: Path) -> None:
    uid = add_large_series(tmp_path, 1)
    with SampleArchive(tmp_path, deflate_level=0) as server, client(server) as archive:
        ingest.write_manifest(object_store, "full", archive, Query(), 3)
        limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 1024 * 1024, hard))  # no file here may become larger
        try:
            with pytest.raises(TransientFailure) as failed:
                ingest.stage_batch(object_store, "full", 0, archive)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        assert server.stats.series[uid] == 1
        assert ingest.stage_batch(object_store, "full", 0, archive).counts["staged"] == 1
    assert failed.value.code is Code.DISK_FULL


def test_ingest_second_copy_of_every_step_ends_in_one_state(object_store: ObjectStore, tmp_path: Path) -> None:
    for number in range(6):
        add_series(tmp_path, number, slices=2)
    with SampleArchive(tmp_path) as server, ThreadPoolExecutor(3) as pool:
        published = list(pool.map(lambda _copy: run_all(object_store, server, "twice"), range(3)))
    assert published[0] == published[1] == published[2]
    assert len(published[0].raw_keys) == 6
    assert sum(key.endswith(".zip") for key in listing(object_store, "raw/")) == 6
    assert list(unfinished_uploads(object_store, "")) == []


def test_series_every_way_of_asking_finds_the_same_records(tmp_path: Path) -> None:
    uids = [add_series(tmp_path, number, collection=f"C{number % 2}", slices=1) for number in range(4)]
    add_series(tmp_path, 9, collection="C0", slices=1, header={"Modality": "SEG"})
    with SampleArchive(tmp_path, released=date(2026, 5, 4)) as server, client(server) as archive:
        whole = {record.series_uid: record for record in archive.series(Query())}
        assert sorted(whole) == sorted(uids)
        assert archive.collections() == ["C0", "C1"]
        by_collection = list(archive.series(Query(collections=("C1",))))
        assert {record.series_uid for record in by_collection} == {uids[1], uids[3]}
        assert [record.series_uid for record in archive.series(Query(patients=("P2",)))] == [uids[2]]
        by_uid = list(archive.series(Query(series_uids=(uids[3], uids[0], "1.2.3"))))
        assert {record.series_uid for record in by_uid} == {uids[0], uids[3]}
        assert all(record == whole[record.series_uid] for record in by_uid)
        assert len(list(archive.series(Query(modalities=("MR", "SEG"))))) == 5
        assert list(archive.series(Query(collections=("nothing",)))) == []


def test_series_intervals_are_disjoint_and_complete(tmp_path: Path) -> None:
    first = date(2026, 2, 26)
    for number in range(8):
        add_series(tmp_path, number, collection=f"C{number}", slices=1)
        override(tmp_path, f"C{number}", DateReleased=(first + timedelta(days=number)).strftime("%m-%d-%Y"))
    with SampleArchive(tmp_path) as server, client(server) as archive:
        found = [
            record.series_uid
            for start in range(8)
            for record in archive.series(
                Query(released_from=first + timedelta(days=start), released_before=first + timedelta(days=start + 1))
            )
        ]
        every = [record.series_uid for record in archive.series(Query())]
    assert len(found) == len(set(found)) == 8
    assert set(found) == set(every)
