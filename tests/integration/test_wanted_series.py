from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from braingranary.archives import ingest, wanted
from braingranary.archives.base import Query
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.records import SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.fixtures.archive import add_series, client, listing

pytestmark = pytest.mark.stack
RECORD = SeriesRecord(
    archive="tcia",
    collection="Heads",
    series_uid="1.2.3.4",
    study_uid="1.2.3",
    subject_id="P1",
    modality="MR",
)
AWAY = TransientFailure(Code.ARCHIVE_UNAVAILABLE, "away")


def outstanding(store: ObjectStore) -> list[str]:
    return [entry.record.series_uid for entry in wanted.outstanding(store, "tcia")]


def test_dismissed_series_is_not_wanted_by_any_later_run_until_that_is_undone(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    uids = [add_series(tmp_path, number, slices=1) for number in range(2)]
    with SampleArchive(tmp_path) as server, client(server) as archive:
        server.plan.add(FaultRule(fault=Fault.ERROR_503, series_uid=uids[0]))
        for run in ("first", "second"):
            ingest.write_manifest(object_store, run, archive, Query())
            with pytest.raises(TransientFailure):
                ingest.stage_batch(object_store, run, 0, archive)
            ingest.publish(object_store, run)
        assert outstanding(object_store) == [uids[0]]

        decision = wanted.dismiss(object_store, "tcia", uids[0], "ann@example.org", "broken at its source")
        assert (decision.attempts, decision.last_code) == (2, Code.ARCHIVE_UNAVAILABLE)
        assert wanted.dismissals(object_store, "tcia") == [decision]
        assert outstanding(object_store) == []
        later = ingest.write_manifest(object_store, "third", archive, Query())
        assert [record.series_uid for record in later.records] == [uids[1]]
        assert outstanding(object_store) == []

        wanted.undo_dismissal(object_store, "tcia", uids[0])
        assert wanted.dismissals(object_store, "tcia") == []
        again = ingest.write_manifest(object_store, "fourth", archive, Query(collections=("Elsewhere",)))
        assert [record.series_uid for record in again.records] == [uids[0]]


def test_dismissal_of_what_is_not_wanted_or_without_a_reason_is_refused(object_store: ObjectStore) -> None:
    with pytest.raises(RejectedInput, match="not_found"):
        wanted.dismiss(object_store, "tcia", RECORD.series_uid, "ann", "gone")
    with pytest.raises(RejectedInput, match="not_found"):
        wanted.undo_dismissal(object_store, "tcia", RECORD.series_uid)
    wanted.announce(object_store, [RECORD])
    with pytest.raises(RejectedInput, match="request_invalid"):
        wanted.dismiss(object_store, "tcia", RECORD.series_uid, "ann", " ")
    assert outstanding(object_store) == [RECORD.series_uid]


def _fails(store: ObjectStore) -> None:
    wanted.note_failure(store, RECORD, AWAY)


def _is_announced(store: ObjectStore) -> None:
    wanted.announce(store, [RECORD])


@pytest.mark.parametrize("end", ["staged and settled", "dismissed"])
@pytest.mark.parametrize("write", [_fails, _is_announced], ids=["failure", "announcement"])
def test_entry_is_taken_back_where_another_run_ends_the_wish_at_that_moment(
    object_store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[ObjectStore], None],
    end: str,
) -> None:
    """What the other run does happens between the look at the series and the writing of its entry."""
    if write is _fails or end == "dismissed":
        wanted.announce(object_store, [RECORD])
    put = ObjectStore.put
    wish = keys.wanted(RECORD.archive, RECORD.collection, RECORD.series_uid)

    def late(store: ObjectStore, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        if key == wish:
            monkeypatch.setattr(ObjectStore, "put", put)
            if end == "dismissed":
                wanted.dismiss(store, "tcia", RECORD.series_uid, "ann", "not ours")
            else:
                store.put(keys.canonical(RECORD.archive, RECORD.collection, RECORD.series_uid), b"{}")
                wanted.settle(store, [RECORD])
        return put(store, key, data, if_absent=if_absent)

    monkeypatch.setattr(ObjectStore, "put", late)
    write(object_store)
    assert not listing(object_store, "wanted/")


def test_limit_of_a_run_counts_series_of_earlier_runs_too(object_store: ObjectStore, tmp_path: Path) -> None:
    uids = sorted(add_series(tmp_path, number, slices=1) for number in range(4))
    with SampleArchive(tmp_path) as server, client(server) as archive:
        records = {record.series_uid: record for record in archive.series(Query())}
        for uid in uids[2:]:
            wanted.note_failure(object_store, records[uid], AWAY)
        sizes = [
            ingest.write_manifest(object_store, f"limit-{limit}", archive, Query(limit=limit)).series
            for limit in (1, 2, 3)
        ]
        named = ingest.write_manifest(object_store, "named", archive, Query(series_uids=(uids[0],), limit=2))
    assert sizes == [1, 2, 3]
    assert [record.series_uid for record in named.records] == [uids[2], uids[0]]
