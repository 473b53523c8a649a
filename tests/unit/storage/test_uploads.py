"""Files of any size to objects that are visible when they are whole."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest

from braingranary.errors import TransientFailure
from braingranary.storage.store import ObjectStore
from braingranary.storage.uploads import PART_BYTES, abort_upload, put_file, unfinished_uploads

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5])
def test_put_file_of_any_size_is_equal(object_store: ObjectStore, size: int) -> None:
    data = os.urandom(size)
    file = io.BytesIO(data)
    file.seek(0, io.SEEK_END)
    put_file(object_store, "f", file)
    assert object_store.get("f") == data
    assert list(unfinished_uploads(object_store, "")) == []


@pytest.mark.parametrize("size", [10, PART_BYTES + 10])
def test_writes_damaged_on_the_way_are_refused_and_transient(object_store: ObjectStore, size: int) -> None:
    def damage(request: AWSPreparedRequest, **_event: object) -> None:
        if request.method == "PUT":
            body: Any = request.body  # a file for put_object, bytes for a part
            request.body = b"y" + bytes(body.read() if hasattr(body, "read") else body)[1:]

    object_store.client.meta.events.register("before-send.s3", damage)
    with pytest.raises(TransientFailure):
        put_file(object_store, "f", io.BytesIO(b"x" * size))
    assert object_store.head("f") is None
    assert list(unfinished_uploads(object_store, "")) == []


class FailsAtTheSecondPart(io.BytesIO):
    """A file that cannot be read to its end."""

    def readinto(self, buffer: Any) -> int:
        if self.tell():
            raise KeyError("stop")
        return super().readinto(buffer)


def test_put_file_that_fails_leaves_no_object_and_no_upload(object_store: ObjectStore) -> None:
    with pytest.raises(KeyError):
        put_file(object_store, "f", FailsAtTheSecondPart(bytes(PART_BYTES + 1)))
    assert object_store.head("f") is None
    assert list(unfinished_uploads(object_store, "")) == []


def test_upload_aborted_by_another_process_is_transient(object_store: ObjectStore) -> None:
    class AbortedMeanwhile(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            for upload in unfinished_uploads(object_store, "in/"):
                assert upload.key == "in/f"
                abort_upload(object_store, upload)
            return super().readinto(buffer)

    with pytest.raises(TransientFailure):
        put_file(object_store, "in/f", AbortedMeanwhile(bytes(2 * PART_BYTES)))
    put_file(object_store, "out/f", AbortedMeanwhile(bytes(2 * PART_BYTES)))
    assert object_store.head("in/f") is None
    assert object_store.head("out/f") is not None
