from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from braingranary.archives import ingest, wanted
from braingranary.archives.base import Query
from braingranary.archives.reconcile import Reconciliation, fetch_revised, reconcile, withdrawals
from braingranary.archives.runs import read_published
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.errors import Code, TransientFailure
from braingranary.storage.store import ObjectStore
from tests.fixtures.archive import add_series, client, listing

pytestmark = pytest.mark.stack
DAY = timedelta(days=1)
MONDAY = datetime(2026, 6, 1, 3, tzinfo=UTC)
SERIES = 20


@pytest.fixture
def uids(tmp_path: Path) -> list[str]:
    """SeriesInstanceUIDs of the collection Heads."""
    return [add_series(tmp_path, number, slices=1) for number in range(SERIES)]


def stage(store: ObjectStore, server: SampleArchive) -> None:
    with client(server) as archive:
        manifest = ingest.write_manifest(store, "night", archive, Query(), 100)
        for index in range(len(manifest.batches)):
            ingest.stage_batch(store, "night", index, archive)
        ingest.publish(store, "night")


def look(store: ObjectStore, server: SampleArchive, at: datetime, *, accept: bool = False) -> Reconciliation:
    query = Query(collections=("Heads",), modalities=())
    server.index.refresh()
    with client(server) as archive:
        return reconcile(store, archive, query, "Heads", modalities=("MR", "SEG"), accept_withdrawals=accept, now=at)


def withdraw(folder: Path, *numbers: int) -> None:
    for number in numbers:
        shutil.rmtree(folder / "Heads" / f"series-{number}")


def marked(store: ObjectStore) -> dict[str, bool]:
    """Whether it is confirmed, of each series that is marked."""
    return {mark.series_uid: mark.withdrawn_at is not None for mark in withdrawals(store, "tcia", "Heads")}


def test_series_is_withdrawn_once_two_listings_a_day_apart_lack_it_and_returns_when_listed(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        raw = listing(object_store, "raw/")
        clean = look(object_store, server, MONDAY)
        assert clean.counts == dict.fromkeys(clean.counts, 0) | {"listed": SERIES, "known": SERIES}
        withdraw(tmp_path, 3)
        assert look(object_store, server, MONDAY).missing == (uids[3],)
        assert look(object_store, server, MONDAY + DAY / 2).missing == (uids[3],)
        assert marked(object_store) == {uids[3]: False}
        assert look(object_store, server, MONDAY + DAY).withdrawn == (uids[3],)
        assert marked(object_store) == {uids[3]: True}
        marks = listing(object_store, "withdrawn/")
        later = look(object_store, server, MONDAY + 7 * DAY)
        assert (later.withdrawn, later.missing, later.known) == ((), (), SERIES - 1)
        assert listing(object_store, "withdrawn/") == marks

        add_series(tmp_path, 3, slices=1)
        assert look(object_store, server, MONDAY + 14 * DAY).returned == (uids[3],)
        assert marked(object_store) == {}
        assert listing(object_store, "raw/") == raw


def test_series_that_one_listing_between_has_is_not_withdrawn(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        withdraw(tmp_path, 3)
        look(object_store, server, MONDAY)
        add_series(tmp_path, 3, slices=1)
        look(object_store, server, MONDAY + DAY)
        withdraw(tmp_path, 3)
        assert look(object_store, server, MONDAY + 2 * DAY).missing == (uids[3],)


def test_listing_that_lacks_much_marks_nothing_until_a_person_accepts_it(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        withdraw(tmp_path, 1, 2)  # 10 % of the collection
        for day in range(3):
            found = look(object_store, server, MONDAY + day * DAY)
            assert (found.refused, found.missing, found.withdrawn) == (Code.LISTING_INCOMPLETE, (), ())
        assert marked(object_store) == {}
        assert look(object_store, server, MONDAY + 3 * DAY, accept=True).missing == tuple(sorted(uids[1:3]))
        assert look(object_store, server, MONDAY + 4 * DAY).withdrawn == tuple(sorted(uids[1:3]))


def test_empty_listing_marks_nothing_even_of_what_is_missing_already(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        withdraw(tmp_path, 0)
        look(object_store, server, MONDAY)
        withdraw(tmp_path, *range(1, SERIES))
        assert look(object_store, server, MONDAY + DAY).refused is Code.LISTING_INCOMPLETE
        assert marked(object_store) == {uids[0]: False}
        look(object_store, server, MONDAY + DAY, accept=True)  # the whole collection is withdrawn
        look(object_store, server, MONDAY + 2 * DAY, accept=True)
        assert marked(object_store) == dict.fromkeys(uids, True)


def test_answer_that_is_cut_or_fails_changes_nothing(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        withdraw(tmp_path, 3)
        server.plan.add(FaultRule(fault=Fault.ERROR_503, endpoint="getSeries"))
        before = listing(object_store)
        with pytest.raises(TransientFailure):
            look(object_store, server, MONDAY)
        assert listing(object_store) == before


def test_series_published_late_becomes_wanted_unless_it_is_dismissed_or_of_another_kind(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        late = add_series(tmp_path, 30, slices=1)
        add_series(tmp_path, 31, slices=1, header={"Modality": "CT"})
        assert look(object_store, server, MONDAY).newly_wanted == (late,)
        assert [entry.record.series_uid for entry in wanted.outstanding(object_store, "tcia")] == [late]
        assert look(object_store, server, MONDAY).newly_wanted == ()
        wanted.dismiss(object_store, "tcia", late, "ann", "a phantom")
        assert look(object_store, server, MONDAY).newly_wanted == ()
        assert not wanted.outstanding(object_store, "tcia")
    assert late not in uids


def test_wanted_series_that_is_withdrawn_is_wanted_no_more(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        late = add_series(tmp_path, 30, slices=1)
        look(object_store, server, MONDAY)
        withdraw(tmp_path, 30)
        look(object_store, server, MONDAY)
        assert wanted.outstanding(object_store, "tcia")
        assert look(object_store, server, MONDAY + DAY).withdrawn == (late,)
    assert not wanted.outstanding(object_store, "tcia")
    assert late not in uids


def test_series_with_other_images_is_told_as_revised(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        add_series(tmp_path, 5, slices=2)
        revised = look(object_store, server, MONDAY).revised
    assert [record.series_uid for record in revised] == [uids[5]]


def test_revised_series_is_kept_beside_the_first_and_its_conflict_told_once(
    object_store: ObjectStore, tmp_path: Path, uids: list[str]
) -> None:
    with SampleArchive(tmp_path) as server:
        stage(object_store, server)
        raw = listing(object_store, "raw/")
        add_series(tmp_path, 5, slices=2)
        for number, published in enumerate(["look-0", None]):
            revised = look(object_store, server, MONDAY).revised
            asked = server.stats.series[uids[5]]
            with client(server) as archive:
                assert fetch_revised(object_store, f"look-{number}", archive, revised) == published
            assert server.stats.series[uids[5]] - asked == (published is not None)
    [reject] = read_published(object_store, "look-0").rejects
    assert (reject.series_uid, reject.code, reject.fatal) == (uids[5], Code.SERIES_CONTENT_CONFLICT, False)
    assert reject.object_key is not None
    assert object_store.exists(reject.object_key)
    assert listing(object_store, "raw/") == raw
