"""Case 36: the archive is away for a moment, in the middle of staging, or for the whole run: no series lost or judged.

Shortened outages; what is staged after all must be what a run without any outage stages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from braingranary.archives import ingest, runs, wanted
from braingranary.archives.base import Query
from braingranary.archives.tcia.client import TciaArchive
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.errors import Code, TransientFailure
from braingranary.storage.store import ObjectStore
from tests.fixtures.archive import add_series, client, listing

pytestmark = [pytest.mark.hostile, pytest.mark.stack]
SERIES = 6


def attempt(store: ObjectStore, archive: TciaArchive, run: str, query: Query | None = None) -> int:
    """One try of a whole run as its DAG makes it; returns the number of batches that failed."""
    manifest = ingest.write_manifest(store, run, archive, query or Query(), 2)
    failed = 0
    for index in range(len(manifest.batches)):
        try:
            ingest.stage_batch(store, run, index, archive)
        except TransientFailure:
            failed += 1
    ingest.publish(store, run)
    return failed


def staged(store: ObjectStore) -> set[str]:
    return {key for key in listing(store, "raw/") if key.endswith(".zip")}


def rejected(store: ObjectStore) -> int:
    return sum(
        len(runs.read_published(store, key.split("/")[2]).rejects)
        for key in listing(store, "runs/ingest/")
        if key.endswith("published.json")
    )


@pytest.mark.parametrize("then", ["clear", "next run"])
@pytest.mark.parametrize("outage", ["middle of staging", "whole of staging"])
def test_outage_while_staging_loses_and_judges_nothing(
    object_store: ObjectStore, tmp_path: Path, outage: str, then: str
) -> None:
    uids = [add_series(tmp_path, number, slices=2) for number in range(SERIES)]
    away = uids[2:] if outage == "middle of staging" else uids
    with SampleArchive(tmp_path) as server, client(server) as archive:
        for uid in away:
            server.plan.add(FaultRule(fault=Fault.ERROR_503, series_uid=uid))
        assert attempt(object_store, archive, "night") == (2 if outage == "middle of staging" else 3)
        assert {entry.record.series_uid for entry in wanted.outstanding(object_store, "tcia")} == set(away)
        assert {entry.last_code for entry in wanted.outstanding(object_store, "tcia")} == {Code.ARCHIVE_UNAVAILABLE}
        server.plan.clear()
        if then == "clear":
            assert attempt(object_store, archive, "night") == 0
        else:  # of another collection: what the first run could not get comes along
            assert attempt(object_store, archive, "next night", Query(collections=("Others",))) == 0
    lost = set(uids) - {key.split("/")[3] for key in staged(object_store)}
    published = {
        raw_key
        for key in listing(object_store, "runs/ingest/")
        if key.endswith("published.json")
        for raw_key in runs.read_published(object_store, key.split("/")[2]).raw_keys
    }
    assert lost == set()
    assert published == staged(object_store)  # so that normalize meets every one of them
    assert rejected(object_store) == 0
    assert listing(object_store, "wanted/") == {}
    print(f"case 36 archive_away: {outage}, {then}: series lost={len(lost)} judged={rejected(object_store)}")


def test_outage_of_the_whole_run_fails_it_and_clearing_stages_all(object_store: ObjectStore, tmp_path: Path) -> None:
    uids = [add_series(tmp_path, number, slices=2) for number in range(SERIES)]
    with SampleArchive(tmp_path) as server, client(server) as archive:
        server.plan.add(FaultRule(fault=Fault.ERROR_503, endpoint=None))
        with pytest.raises(TransientFailure):
            ingest.write_manifest(object_store, "night", archive, Query(), 2)
        assert listing(object_store) == {}  # nothing is written down that clearing would take for an answer
        server.plan.clear()
        assert attempt(object_store, archive, "night") == 0
    lost = set(uids) - {key.split("/")[3] for key in staged(object_store)}
    assert lost == set()
    print(f"case 36 archive_away: the whole run, clear: series lost={len(lost)} judged={rejected(object_store)}")


def test_outage_shorter_than_the_patience_is_waited_for(object_store: ObjectStore, tmp_path: Path) -> None:
    for number in range(SERIES):
        add_series(tmp_path, number, slices=2)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        server.plan.add(FaultRule(fault=Fault.RESET, endpoint=None, times=1))
        server.plan.add(FaultRule(fault=Fault.ERROR_503, endpoint="getImage", times=1))
        assert attempt(object_store, archive, "night") == 0
    assert len(staged(object_store)) == SERIES
    print(f"case 36 archive_away: a moment: series lost={SERIES - len(staged(object_store))} judged=0")


def test_run_killed_before_its_batches_leaves_its_series_wanted(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours later a run takes them over; at once it would only do what the first run is about to do."""
    for number in range(SERIES):
        add_series(tmp_path, number, slices=2)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        ingest.write_manifest(object_store, "killed", archive, Query(), 2)
        assert attempt(object_store, archive, "soon after", Query(collections=("Others",))) == 0
        assert staged(object_store) == set()
        monkeypatch.setattr(wanted, "ABANDONED_AFTER", -wanted.ABANDONED_AFTER)  # as if that time had passed
        assert attempt(object_store, archive, "next night", Query(collections=("Others",))) == 0
    assert len(staged(object_store)) == SERIES
    assert listing(object_store, "wanted/") == {}


def test_run_killed_between_staging_and_publishing_is_made_up_for(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_series(tmp_path, 1, slices=2)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        ingest.write_manifest(object_store, "killed", archive, Query(), 2)
        ingest.stage_batch(object_store, "killed", 0, archive)
        monkeypatch.setattr(wanted, "ABANDONED_AFTER", -wanted.ABANDONED_AFTER)
        attempt(object_store, archive, "next night", Query(collections=("Others",)))
        assert server.stats.requests["getImage"] == 1
    assert set(runs.read_published(object_store, "next night").raw_keys) == staged(object_store)


def test_wanted_series_are_tried_oldest_first_and_tell_their_attempts(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    first, second = add_series(tmp_path, 9, slices=1), add_series(tmp_path, 1, collection="Later", slices=1)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        server.plan.add(FaultRule(fault=Fault.ERROR_503))
        for run, collection in (("a", "Heads"), ("b", "Later"), ("c", "None")):
            attempt(object_store, archive, run, Query(collections=(collection,)))
        manifest = ingest.write_manifest(object_store, "d", archive, Query(collections=("None",)), 10)
    assert [record.series_uid for record in manifest.records] == [first, second]
    assert [entry.attempts for entry in wanted.outstanding(object_store, "tcia")] == [3, 2]


def test_reject_is_asked_for_again_when_its_run_is_cleared(object_store: ObjectStore, tmp_path: Path) -> None:
    uid = add_series(tmp_path, 1, slices=2)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        server.plan.add(FaultRule(fault=Fault.WRONG_MD5, series_uid=uid))
        attempt(object_store, archive, "night")
        assert [reject.code for reject in runs.read_published(object_store, "night").rejects] == [
            Code.CHECKSUM_MISMATCH
        ]
        server.plan.clear()
        attempt(object_store, archive, "night")
        name = ingest.publish(object_store, "night")
    assert name is not None
    assert name != "night"  # what was published once stays, and the catalogue meets the new content under a new name
    published = runs.read_published(object_store, name)
    assert (published.rejects, set(published.raw_keys)) == ((), staged(object_store))
