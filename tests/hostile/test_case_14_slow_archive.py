"""Case 14: an archive that trickles, resets, lies about lengths, answers pages, nothing, or short zips.

Once: the next attempt stages the series. For ever: the deadline holds, nothing partial is staged, the series stays
wanted and the others are staged and published.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from braingranary.archives import ingest, runs, wanted
from braingranary.archives.base import Query
from braingranary.archives.retries import Politeness
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.errors import Code, TransientFailure
from braingranary.storage.store import ObjectStore
from braingranary.storage.uploads import unfinished_uploads
from tests.fixtures.archive import IMPATIENT, QUICK, add_large_series, add_series, client, listing

EXPECTED = {
    Fault.SLOW: Code.DOWNLOAD_STALLED,
    Fault.STALL: Code.DOWNLOAD_STALLED,
    Fault.RESET: Code.ARCHIVE_UNAVAILABLE,
    Fault.WRONG_LENGTH: Code.ARCHIVE_UNAVAILABLE,
    Fault.ERROR_500: Code.ARCHIVE_UNAVAILABLE,
    Fault.ERROR_503: Code.ARCHIVE_UNAVAILABLE,
    Fault.TOO_MANY: Code.ARCHIVE_UNAVAILABLE,
    Fault.HTML: Code.ARCHIVE_ANSWER_INVALID,
    Fault.EMPTY: Code.ARCHIVE_ANSWER_INVALID,
    Fault.SHORT_ZIP: Code.DOWNLOAD_SHORT,
}


def patience(fault: Fault) -> Politeness:
    """Time is what tells an archive that stalls; of all others it tells nothing."""
    return IMPATIENT if fault in {Fault.SLOW, Fault.STALL} else QUICK


@pytest.mark.hostile
@pytest.mark.stack
@pytest.mark.parametrize("fault", EXPECTED)
def test_ingest_archive_that_fails_stages_nothing_partial_and_keeps_the_series_wanted(
    object_store: ObjectStore, tmp_path: Path, fault: Fault
) -> None:
    bad = add_large_series(tmp_path, 1)
    good = [add_series(tmp_path, number, slices=2) for number in (2, 3)]
    # The server does not compress, so that the bad series is several parts of an upload.
    with SampleArchive(tmp_path, deflate_level=0) as server, client(server, patience(fault)) as archive:
        server.plan.add(FaultRule(fault=fault, series_uid=bad))
        ingest.write_manifest(object_store, "faulty", archive, Query(), 10)
        with pytest.raises(TransientFailure) as failed:
            ingest.stage_batch(object_store, "faulty", 0, archive)
        ingest.publish(object_store, "faulty")
        asked = server.stats.series[bad]
    published = runs.read_published(object_store, "faulty")
    [left] = wanted.outstanding(object_store, "tcia")
    result = runs.read_batch(object_store, "faulty", 0)
    assert result is not None
    assert published.rejects == ()  # an archive that fails is no verdict about a series
    assert failed.value.code is EXPECTED[fault]
    assert (left.record.series_uid, left.attempts, left.last_code) == (bad, 1, EXPECTED[fault])
    assert sorted(key.split("/")[3] for key in published.raw_keys) == sorted(good)
    assert [key for key in listing(object_store, "raw/") if bad in key] == []
    assert list(unfinished_uploads(object_store, "")) == []
    assert asked == QUICK.attempts
    print(f"case 14 slow_archive: {fault} for ever retries={asked - 1} wasted_bytes={result.counts['wasted_bytes']}")


@pytest.mark.hostile
@pytest.mark.stack
@pytest.mark.parametrize("fault", EXPECTED)
def test_ingest_archive_that_fails_once_is_asked_again(object_store: ObjectStore, tmp_path: Path, fault: Fault) -> None:
    uid = add_large_series(tmp_path, 1)
    with SampleArchive(tmp_path, deflate_level=0) as server, client(server, patience(fault)) as archive:
        server.plan.add(FaultRule(fault=fault, times=1))
        ingest.write_manifest(object_store, "once", archive, Query(), 10)
        result = ingest.stage_batch(object_store, "once", 0, archive)
        asked = server.stats.series[uid]
    assert result.counts["staged"] == 1
    assert asked == 2
    assert list(unfinished_uploads(object_store, "")) == []
    print(f"case 14 slow_archive: {fault} once retries={asked - 1} wasted_bytes={result.counts['wasted_bytes']}")


@pytest.mark.hostile
@pytest.mark.stack
def test_ingest_archive_that_is_down_fails_the_batch_for_another_try(object_store: ObjectStore, tmp_path: Path) -> None:
    add_series(tmp_path, 1, slices=2)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        ingest.write_manifest(object_store, "down", archive, Query(), 10)
        server.plan.add(FaultRule(fault=Fault.ERROR_503))
        with pytest.raises(TransientFailure) as failed:
            ingest.stage_batch(object_store, "down", 0, archive)
        assert failed.value.code is Code.ARCHIVE_UNAVAILABLE
        server.plan.clear()
        assert ingest.stage_batch(object_store, "down", 0, archive).counts["staged"] == 1


@pytest.mark.hostile
@pytest.mark.stack
def test_ingest_retry_after_is_what_is_waited(object_store: ObjectStore, tmp_path: Path) -> None:
    add_series(tmp_path, 1, slices=2)
    waits: list[float] = []
    polite = replace(QUICK, wait_min_s=5.0, wait_max_s=120.0, sleep=waits.append)
    with SampleArchive(tmp_path) as server, client(server, polite) as archive:
        server.plan.add(FaultRule(fault=Fault.TOO_MANY, seconds=17.0, times=1))
        server.plan.add(FaultRule(fault=Fault.TOO_MANY, seconds=9999.0, times=1))
        ingest.write_manifest(object_store, "polite", archive, Query(), 10)
        ingest.stage_batch(object_store, "polite", 0, archive)
    assert waits == [17.0, 120.0]


@pytest.mark.hostile
@pytest.mark.stack
def test_ingest_archive_below_the_minimum_until_the_deadline_ends(object_store: ObjectStore, tmp_path: Path) -> None:
    """Even where every attempt is let trickle on, the deadline of the series ends it."""
    bad = add_series(tmp_path, 1, slices=2)
    patient = replace(QUICK, throughput_min_bytes_s=0.0, series_deadline_s=1.5, attempts=100)
    with SampleArchive(tmp_path) as server, client(server, patient) as archive:
        server.plan.add(FaultRule(fault=Fault.SLOW, series_uid=bad))
        ingest.write_manifest(object_store, "trickle", archive, Query(), 10)
        with pytest.raises(TransientFailure) as failed:
            ingest.stage_batch(object_store, "trickle", 0, archive)
        asked = server.stats.series[bad]
    assert failed.value.code is Code.DOWNLOAD_STALLED
    assert asked < 4
