from __future__ import annotations

import io
import os
import zipfile
from threading import Barrier, Thread

import pytest

from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore

pytestmark = pytest.mark.stack


def test_put_if_absent_second_writer_loses_and_changes_nothing(object_store: ObjectStore) -> None:
    assert object_store.put("a/b", b"first", if_absent=True)
    assert not object_store.put("a/b", b"second", if_absent=True)
    assert object_store.get("a/b") == b"first"
    assert object_store.put("a/b", b"third")
    assert object_store.get("a/b") == b"third"


def test_put_if_absent_many_at_once_have_one_winner(object_store: ObjectStore) -> None:
    copies, won = 8, []
    start = Barrier(copies)

    def write(number: int) -> None:
        start.wait()
        if object_store.put("race", b"%d" % number, if_absent=True):
            won.append(number)

    threads = [Thread(target=write, args=(number,)) for number in range(copies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert object_store.get("race") == b"%d" % won[0]


def test_get_missing_object_is_rejected_and_head_is_none(object_store: ObjectStore) -> None:
    with pytest.raises(RejectedInput) as refused:
        object_store.get("nothing")
    assert refused.value.code is Code.OBJECT_MISSING
    assert object_store.head("nothing") is None
    assert not object_store.exists("nothing")
    object_store.delete("nothing")


def test_get_range_exact_bytes_or_rejected(object_store: ObjectStore) -> None:
    object_store.put("k", bytes(range(100)))
    assert object_store.get_range("k", 10, 20) == bytes(range(10, 30))
    assert object_store.get_range("k", 0, 100) == bytes(range(100))
    assert object_store.get_range("k", 5, 0) == b""
    for start, length in ((90, 20), (200, 1), (-1, 5)):
        with pytest.raises(RejectedInput) as refused:
            object_store.get_range("k", start, length)
        assert refused.value.code is Code.REQUEST_INVALID


def test_get_range_replaced_object_is_not_mixed(object_store: ObjectStore) -> None:
    object_store.put("k", b"old bytes")
    info = object_store.head("k")
    assert info is not None
    object_store.put("k", b"new bytes")
    with pytest.raises(RejectedInput):
        object_store.get_range("k", 0, 3, etag=info.etag)


def test_open_zip_by_range_reads_its_members(object_store: ObjectStore) -> None:
    members = {f"{number}.bin": os.urandom(3_000_000) for number in range(4)}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    object_store.put("z.zip", whole.getvalue())
    with object_store.open("z.zip") as file, zipfile.ZipFile(file) as source:
        assert {name: source.read(name) for name in source.namelist()} == members


def test_list_prefix_in_order_across_pages(object_store: ObjectStore) -> None:
    keys = [f"p/{number:04d}" for number in range(30)]
    for key in [*keys, "q/1"]:
        object_store.put(key, b"x")
    assert [item.key for item in object_store.list("p/")] == keys
    assert object_store.delete_many(keys) == 30
    assert [item.key for item in object_store.list()] == ["q/1"]


@pytest.mark.parametrize("change", [{"bucket": "no-such-bucket"}, {"secret_key": "wrong"}, {"access_key": "nobody"}])
def test_store_wrong_settings_are_told_as_configuration(s3_settings: StoreSettings, change: dict[str, str]) -> None:
    told = {**s3_settings.model_dump(), **change}
    with pytest.raises(ConfigurationError) as refused:
        ObjectStore.from_settings(StoreSettings(**told)).get("k")
    assert "wrong" not in str(refused.value)


def test_store_server_that_is_gone_is_transient(s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("braingranary.storage.store.ATTEMPTS", 1)
    settings = StoreSettings(**{**s3_settings.model_dump(), "endpoint_url": "http://127.0.0.1:1"})
    with pytest.raises(TransientFailure) as failed:
        ObjectStore.from_settings(settings).get("k")
    assert failed.value.code is Code.OBJECT_STORE_UNAVAILABLE


def test_ensure_bucket_twice_is_harmless(s3_settings: StoreSettings) -> None:
    store = ObjectStore.from_settings(StoreSettings(**{**s3_settings.model_dump(), "bucket": "another-bucket"}))
    store.ensure_bucket()
    store.ensure_bucket()
    assert store.put("k", b"v")
