"""A writer of one object of any size in constant memory, visible only when it is committed.

An upload that is not committed (an exception, a kill) never becomes an object: the context manager aborts it, and
`ObjectStore.abort_stale_multiparts` aborts what a killed process left. Objects below one part are a single PUT.
"""

from __future__ import annotations

import base64
import hashlib
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, cast

import structlog
from botocore.exceptions import ClientError

from braingranary.errors import Code, GranaryError, RejectedInput
from braingranary.storage.failures import is_conflict, is_precondition, mapped

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES: Final = 5 * 1024 * 1024  # the least that S3 takes for all but the last part: it is what a transfer holds
PARTS_MAX: Final = 10_000  # limit of S3: objects of up to 48 GiB with parts of 5 MiB

_log = structlog.get_logger(__name__)


class WritableBucket(Protocol):
    """What the writer needs of an object store."""

    client: S3Client
    bucket: str

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write a small object in one request; False where `if_absent` and one stands there."""

    def exists(self, key: str) -> bool:
        """Whether there is an object at `key`."""


class MultipartWriter:
    """`with store.multipart(key) as writer: writer.write(...); writer.commit()`; without commit nothing is kept.

    Holds one part (5 MiB) and no more: the same memory is filled and sent again and again. Not safe for use by several
    threads at once. Raises TransientFailure and ConfigurationError as the store does, RejectedInput when more than
    10,000 parts are written.
    """

    def __init__(self, store: WritableBucket, key: str) -> None:
        self._store = store
        self._key = key
        self._buffer = bytearray(PART_BYTES)
        self._filled = 0
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._closed = False
        self.bytes_written = 0

    @property
    def key(self) -> str:
        """The key that a commit makes visible."""
        return self._key

    @property
    def unsent(self) -> bytes | None:
        """Everything written so far while it fits into one part, None once a part was sent."""
        return bytes(self._held()) if self._upload_id is None else None

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take `data`, sending every part that is full; returns the number of bytes taken."""
        view = memoryview(data)
        start = 0
        while start < len(view):
            taken = view[start : start + PART_BYTES - self._filled]
            with memoryview(self._buffer) as held:  # assigning to the bytearray itself would copy once more
                held[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            start += len(taken)
            if self._filled == PART_BYTES:
                self._send()
        self.bytes_written += len(view)
        return len(view)

    def commit(self, *, if_absent: bool = False) -> bool:
        """Make the object visible; False when `if_absent` and one stood there already (then nothing is kept)."""
        if self._upload_id is None:
            self._closed = True
            return self._store.put(self._key, bytes(self._held()), if_absent=if_absent)
        if self._filled:
            del self._buffer[self._filled :]
            self._send()
        won = self._complete(if_absent)
        if won:
            self._closed = True
        else:
            self.abort()
        return won

    def abort(self) -> None:
        """Throw away what was written; does nothing after a commit or a second time."""
        if self._closed:
            return
        self._closed = True
        self._filled = 0
        if self._upload_id is not None:
            with mapped(f"abort upload of {self._key}"):
                self._store.client.abort_multipart_upload(
                    Bucket=self._store.bucket, Key=self._key, UploadId=self._upload_id
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.abort()
            return
        try:
            self.abort()
        except GranaryError as failure:
            # The first error is the one to tell; the upload left behind is swept by abort_stale_multiparts.
            _log.warning("multipart_abort_failed", key=self._key, code=failure.code)

    def _held(self) -> memoryview:
        return memoryview(self._buffer)[: self._filled]

    def _send(self) -> None:
        """What is held as the next part."""
        number = len(self._parts) + 1
        if number > PARTS_MAX:
            raise RejectedInput(Code.SERIES_TOO_LARGE, f"{self._key}: more than {PARTS_MAX} parts")
        store = self._store
        with mapped(f"upload part {number} of {self._key}"):
            if self._upload_id is None:
                created = store.client.create_multipart_upload(Bucket=store.bucket, Key=self._key)
                self._upload_id = created["UploadId"]
            digest = base64.b64encode(hashlib.md5(self._buffer, usedforsecurity=False).digest()).decode()
            answer = store.client.upload_part(
                Bucket=store.bucket,
                Key=self._key,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=cast("bytes", self._buffer),  # a bytearray is as good to botocore, its stubs do not know
                ContentMD5=digest,
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._filled = 0

    def _complete(self, if_absent: bool) -> bool:
        store = self._store
        assert self._upload_id is not None  # noqa: S101 - commit() has checked
        with mapped(f"complete upload of {self._key}"):
            try:
                if if_absent:
                    store.client.complete_multipart_upload(
                        Bucket=store.bucket,
                        Key=self._key,
                        UploadId=self._upload_id,
                        MultipartUpload={"Parts": self._parts},
                        IfNoneMatch="*",
                    )
                else:
                    store.client.complete_multipart_upload(
                        Bucket=store.bucket,
                        Key=self._key,
                        UploadId=self._upload_id,
                        MultipartUpload={"Parts": self._parts},
                    )
            except ClientError as error:
                if if_absent and (is_precondition(error) or (is_conflict(error) and store.exists(self._key))):
                    return False
                raise
        return True
