from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from braingranary.archives.base import Query
from braingranary.archives.codec import from_json, to_json
from braingranary.archives.runs import BATCH_BYTES_MAX, BATCHES_MAX, Manifest, cut
from braingranary.errors import Code, RejectedInput
from braingranary.records import Reject, SeriesRecord

RECORD = SeriesRecord(
    archive="tcia",
    collection="Köln",
    series_uid="1.2.3",
    study_uid="1.2",
    subject_id="P",
    modality="MR",
    released=date(2026, 1, 2),
    extra={"b": [1, None, {"c": 2.5}], "a": True},
)


def test_cut_count_and_bytes_bound_a_batch_and_keep_order() -> None:
    records = [replace(RECORD, series_uid=f"1.{number}", total_bytes=1) for number in range(10)]
    batches = cut(records, 4)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [record for batch in batches for record in batch] == records
    heavy = [replace(record, total_bytes=BATCH_BYTES_MAX // 2 + 1) for record in records]
    assert [len(batch) for batch in cut(heavy, 4)] == [1] * 10


def test_cut_no_records_are_no_batches() -> None:
    assert cut([], 4) == ()


def test_cut_many_records_stay_below_what_a_task_can_be_mapped_over() -> None:
    records = [replace(RECORD, series_uid=f"1.{number}", total_bytes=BATCH_BYTES_MAX) for number in range(5000)]
    batches = cut(records, 1)
    assert len(batches) <= BATCHES_MAX
    assert sum(map(len, batches)) == 5000


def test_to_json_round_trip_is_exact_and_repeatable() -> None:
    reject = Reject(archive="a", collection="c", series_uid="1.2", code=Code.UID_INVALID, step="manifest", detail="x")
    manifest = Manifest(
        run="r", archive="tcia", query={"released_from": "2026-01-01"}, batches=((RECORD,),), rejects=(reject,)
    )
    data = to_json(manifest)
    again = from_json(Manifest, data)
    assert again == manifest
    assert to_json(again) == data


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"run": 1}', b"\xff"])
def test_from_json_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(RejectedInput) as refused:
        from_json(Manifest, data)
    assert refused.value.code is Code.MANIFEST_INVALID


def test_query_wants_interval_is_half_open() -> None:
    query = Query(released_from=date(2026, 1, 2), released_before=date(2026, 1, 3))
    assert query.wants(RECORD)
    assert not query.wants(replace(RECORD, released=date(2026, 1, 1)))
    assert not query.wants(replace(RECORD, released=date(2026, 1, 3)))
    assert not query.wants(replace(RECORD, released=None))


def test_query_wants_default_is_magnetic_resonance_alone() -> None:
    assert Query().wants(RECORD)
    assert not Query().wants(replace(RECORD, modality="SEG"))
    assert Query(modalities=("MR", "SEG")).wants(replace(RECORD, modality="SEG"))
    assert Query(modalities=()).wants(replace(RECORD, modality="CT"))
