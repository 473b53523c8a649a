"""Batches on a real object store: what is written, what is rejected, what a repetition or a dead store changes."""

from __future__ import annotations

import io
import json
from datetime import datetime

import pyarrow.parquet as pq
import pytest

from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.normalization.again import mark, marked
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.parts import PartResult
from braingranary.normalization.plan import pending
from braingranary.normalization.profile import DEFAULT_PROFILE, Profile
from braingranary.normalization.publish import publish, read_published
from braingranary.normalization.series import normalize_series
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.fixtures.patience import until
from tests.unit.normalization import phantom

pytestmark = pytest.mark.stack
UIDS = [f"{phantom.ROOT}.{number}" for number in (1, 2)]


def good(store: ObjectStore, uid: str = UIDS[0], collection: str = "Phantoms", seed: int = 1) -> str:
    files = phantom.dicom_files(uid, shape=(6, 32, 32), spacing_mm=(24.0, 6.0, 6.0), seed=seed)
    return phantom.stage(store, uid, phantom.zipped(files), collection=collection)


def rows(store: ObjectStore, part: PartResult, table: str) -> list[dict[str, object]]:
    read: list[dict[str, object]] = pq.read_table(io.BytesIO(store.get(part.tables[table]))).to_pylist()
    return read


def ingested(store: ObjectStore, run: str, raw_keys: list[str]) -> None:
    store.put(keys.run_object("ingest", run, "published.json"), json.dumps({"raw_keys": raw_keys}).encode())


def test_normalize_batch_good_series_is_written_and_rows_point_at_it(object_store: ObjectStore) -> None:
    part = normalize_batch(object_store, [good(object_store)], DEFAULT_PROFILE, "run")
    (pack,) = rows(object_store, part, "packs")
    stored = object_store.head(str(pack["object_key"]))
    assert stored is not None
    assert stored.size == pack["pack_bytes"]
    (series,) = rows(object_store, part, "series")
    assert object_store.exists(str(series["sidecar_key"]))
    for row in rows(object_store, part, "slices"):
        offset, length = row["byte_offset"], row["byte_length"]
        assert isinstance(offset, int)
        assert isinstance(length, int)
        assert object_store.get_range(str(pack["object_key"]), offset, length)[:2] == b"\xff\xd8"
    assert part.rows == {"series": 1, "packs": 1, "slices": 6, "rejects": 0, "labels": 0}


def test_normalize_batch_poison_beside_a_good_series_is_one_reject(object_store: ObjectStore) -> None:
    poison = phantom.stage(object_store, UIDS[1], phantom.zipped([("a.dcm", b"x" * 500)]))
    part = normalize_batch(object_store, [poison, good(object_store)], DEFAULT_PROFILE, "run")
    assert [row["series_uid"] for row in rows(object_store, part, "series")] == [UIDS[0]]
    (reject,) = rows(object_store, part, "rejects")
    assert (reject["code"], reject["fatal"], reject["object_key"]) == ("not_dicom", True, poison)
    (note,) = object_store.list("quarantine/")
    assert json.loads(object_store.get(note.key))["code"] == "not_dicom"
    assert object_store.exists(poison)


def test_normalize_batch_crash_in_one_series_is_a_coded_reject(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys_of = [good(object_store, uid) for uid in UIDS]

    def crashing(files: object, receipt: object, *rest: object, **named: object) -> object:
        if getattr(receipt, "raw_key", None) == keys_of[0]:
            raise MemoryError("Secret^Name")
        return normalize_series(files, receipt, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("braingranary.normalization.batch.normalize_series", crashing)
    part = normalize_batch(object_store, keys_of, DEFAULT_PROFILE, "run")
    (reject,) = rows(object_store, part, "rejects")
    assert (reject["code"], reject["detail"]) == ("internal", "unexpected MemoryError")
    assert part.rows["series"] == 1


@pytest.mark.parametrize("missing", ["zip", "receipt"])
def test_normalize_batch_missing_object_is_a_reject(object_store: ObjectStore, missing: str) -> None:
    key = good(object_store)
    object_store.delete(key if missing == "zip" else keys.receipt(key))
    part = normalize_batch(object_store, [key], DEFAULT_PROFILE, "run")
    assert [row["code"] for row in rows(object_store, part, "rejects")] == ["object_missing"]


def test_normalize_batch_receipt_of_another_zip_is_a_reject(object_store: ObjectStore) -> None:
    first, second = good(object_store), good(object_store, UIDS[1])
    object_store.put(keys.receipt(first), object_store.get(keys.receipt(second)))
    part = normalize_batch(object_store, [first], DEFAULT_PROFILE, "run")
    assert [row["code"] for row in rows(object_store, part, "rejects")] == ["manifest_invalid"]


def test_normalize_batch_same_raw_set_twice_gives_identical_objects(object_store: ObjectStore) -> None:
    raw_keys = [good(object_store, uid) for uid in UIDS]
    part = normalize_batch(object_store, raw_keys, DEFAULT_PROFILE, "run")
    before = phantom.listing(object_store, "")
    for key in list(before):
        if not key.startswith("raw/"):
            object_store.delete(key)
    assert normalize_batch(object_store, raw_keys[::-1], DEFAULT_PROFILE, "run", workers=2) == part
    assert phantom.listing(object_store, "") == before


def test_normalize_batch_done_already_reads_no_raw_bytes_again(object_store: ObjectStore) -> None:
    key = good(object_store)
    part = normalize_batch(object_store, [key], DEFAULT_PROFILE, "run")
    object_store.delete(key)
    assert normalize_batch(object_store, [key], DEFAULT_PROFILE, "run") == part


def test_normalize_batch_wrong_key_is_refused_before_anything_is_written(object_store: ObjectStore) -> None:
    with pytest.raises(RejectedInput) as caught:
        normalize_batch(object_store, [good(object_store), "raw/../../x.zip"], DEFAULT_PROFILE, "run")
    assert caught.value.code is Code.KEY_INVALID
    assert not list(object_store.list("runs/"))


def test_normalize_batch_store_that_fails_ends_the_batch_and_leaves_no_part(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = good(object_store)

    def refusing(*_: object, **__: object) -> bool:
        raise TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, "down")

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "put", refusing)
        with pytest.raises(TransientFailure):
            normalize_batch(object_store, [key], DEFAULT_PROFILE, "run")
    assert not list(object_store.list("runs/"))
    assert normalize_batch(object_store, [key], DEFAULT_PROFILE, "run").rows["series"] == 1


def refusing_packs(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let every write under normalized/ fail, and nothing else."""
    put = ObjectStore.put

    def refusing(store: ObjectStore, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        if key.startswith("normalized/"):
            raise error
        return put(store, key, data, if_absent=if_absent)

    monkeypatch.setattr(ObjectStore, "put", refusing)


def test_normalize_batch_pack_that_the_store_refuses_ends_the_batch(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = good(object_store)
    refusing_packs(monkeypatch, TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, "down"))
    with pytest.raises(TransientFailure):
        normalize_batch(object_store, [key], DEFAULT_PROFILE, "run")
    assert not list(object_store.list("runs/"))
    assert not list(object_store.list("quarantine/"))


def test_normalize_batch_pack_that_cannot_be_written_leaves_no_rows_of_its_series(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = good(object_store)
    refusing_packs(monkeypatch, ValueError("unforeseen"))
    part = normalize_batch(object_store, [key], DEFAULT_PROFILE, "run")
    assert part.rows == {"series": 0, "packs": 0, "slices": 0, "rejects": 1, "labels": 0}


def test_normalize_batch_tumour_collection_labels_its_series(object_store: ObjectStore) -> None:
    raw_keys = [good(object_store, UIDS[0], "TCGA-GBM"), good(object_store, UIDS[1], "Somewhere")]
    part = normalize_batch(object_store, raw_keys, DEFAULT_PROFILE, "run")
    (label,) = rows(object_store, part, "labels")
    assert (label["series_uid"], label["tumor"], label["source"], label["plane"]) == (
        UIDS[0],
        True,
        "collection",
        None,
    )


def test_publish_second_copy_loses_and_goes_on_with_the_winner(object_store: ObjectStore) -> None:
    part = normalize_batch(object_store, [good(object_store)], DEFAULT_PROFILE, "run")
    winner = publish(object_store, "run", DEFAULT_PROFILE, [part])
    assert publish(object_store, "run", DEFAULT_PROFILE, []) == winner
    assert read_published(object_store, "run") == winner


def test_pending_is_what_no_published_run_has_done(object_store: ObjectStore) -> None:
    first, second = (good(object_store, uid) for uid in UIDS)
    ingested(object_store, "monday", [first])
    ingested(object_store, "tuesday", [first, second])
    assert [series.raw_key for series in pending(object_store, DEFAULT_PROFILE)] == sorted([first, second])
    part = normalize_batch(object_store, [first], DEFAULT_PROFILE, "run")
    assert len(pending(object_store, DEFAULT_PROFILE)) == 2  # written, but not published yet
    publish(object_store, "run", DEFAULT_PROFILE, [part])
    (left,) = pending(object_store, DEFAULT_PROFILE)
    assert left.raw_key == second
    info = object_store.head(second)
    assert info is not None
    assert left.zip_bytes == info.size
    assert pending(object_store, DEFAULT_PROFILE, ingest_runs=["monday"]) == ()
    assert len(pending(object_store, DEFAULT_PROFILE, force=True)) == 2
    assert len(pending(object_store, Profile(jpeg_quality=80))) == 2


def test_pending_same_series_with_other_bytes_never_replaces_the_first(object_store: ObjectStore) -> None:
    first, other = good(object_store, seed=1), good(object_store, seed=2)
    assert first != other
    ingested(object_store, "monday", [first, other])
    (chosen,) = pending(object_store, DEFAULT_PROFILE)
    assert chosen.raw_key == min(first, other)
    part = normalize_batch(object_store, [max(first, other)], DEFAULT_PROFILE, "run")
    publish(object_store, "run", DEFAULT_PROFILE, [part])
    assert pending(object_store, DEFAULT_PROFILE) == ()
    (forced,) = pending(object_store, DEFAULT_PROFILE, force=True)
    assert forced.raw_key == max(first, other)


def test_pending_rejected_series_is_not_taken_again_unless_forced(object_store: ObjectStore) -> None:
    poison = phantom.stage(object_store, UIDS[0], b"no zip")
    ingested(object_store, "monday", [poison])
    part = normalize_batch(object_store, [poison], DEFAULT_PROFILE, "run")
    publish(object_store, "run", DEFAULT_PROFILE, [part])
    assert pending(object_store, DEFAULT_PROFILE) == ()
    assert len(pending(object_store, DEFAULT_PROFILE, force=True)) == 1


def test_pending_named_run_that_is_not_published_is_told(object_store: ObjectStore) -> None:
    with pytest.raises(RejectedInput) as caught:
        pending(object_store, DEFAULT_PROFILE, ingest_runs=["nowhere"])
    assert caught.value.code is Code.OBJECT_MISSING


def test_pending_marked_series_is_taken_again_until_a_later_run_is_published(object_store: ObjectStore) -> None:
    first, second = (good(object_store, uid) for uid in UIDS)
    ingested(object_store, "monday", [first, second])
    part = normalize_batch(object_store, [first, second], DEFAULT_PROFILE, "run")
    publish(object_store, "run", DEFAULT_PROFILE, [part])
    mark(object_store, DEFAULT_PROFILE.name, [second])
    assert [series.raw_key for series in pending(object_store, DEFAULT_PROFILE)] == [second]
    assert len(pending(object_store, Profile(jpeg_quality=80))) == 2
    marked_at = marked(object_store, DEFAULT_PROFILE.name)[second]
    until(lambda: clock(object_store) > marked_at, "the store's clock stands")  # it tells seconds
    publish(object_store, "again", DEFAULT_PROFILE, [normalize_batch(object_store, [second], DEFAULT_PROFILE, "again")])
    assert pending(object_store, DEFAULT_PROFILE) == ()


def clock(store: ObjectStore) -> datetime:
    """What time it is for the store."""
    store.put("clock", b"")
    info = store.head("clock")
    assert info is not None
    return info.modified
