"""Upload files of any size in constant memory, and find the uploads that killed processes left behind.

Goes in: a store and a file. Comes out: an object that is visible only when all of it has arrived. Fails as the store
does, and with RejectedInput(SERIES_TOO_LARGE) beyond what S3 takes.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.storage.failures import mapped
from braingranary.storage.store import ObjectStore, check_key, content_md5

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES: Final = 5 * 1024 * 1024  # the least that S3 takes for all but the last part: it is what a transfer holds
PARTS_MAX: Final = 10_000  # limit of S3: objects of up to 48 GiB


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedUpload:
    """An upload in parts that is no object yet; `began` is UTC."""

    key: str
    upload_id: str
    began: datetime


def put_file(store: ObjectStore, key: str, file: IO[bytes]) -> None:
    """Write `file` from its beginning to its end at `key`; the server checks the MD5 of every part."""
    check_key(key)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size <= PART_BYTES:
        store.put(key, file.read())
        return
    if size > PART_BYTES * PARTS_MAX:
        raise RejectedInput(Code.SERIES_TOO_LARGE, f"{key}: more than {PARTS_MAX} parts")
    with mapped(f"upload {key}"):
        upload = store.client.create_multipart_upload(Bucket=store.bucket, Key=key)["UploadId"]
        try:
            _upload_parts(store, key, upload, size, file)
        except BaseException:
            # What cannot be aborted now is found by `unfinished_uploads`; the first error is the one to tell.
            with contextlib.suppress(ClientError, BotoCoreError):
                store.client.abort_multipart_upload(Bucket=store.bucket, Key=key, UploadId=upload)
            raise


def unfinished_uploads(store: ObjectStore, prefix: str) -> Iterator[UnfinishedUpload]:
    """Uploads under `prefix` that are going on or were left by a process that was killed."""
    with mapped(f"list uploads under {prefix}"):
        pages = store.client.get_paginator("list_multipart_uploads").paginate(Bucket=store.bucket, Prefix=prefix)
        for page in pages:
            for upload in page.get("Uploads", ()):
                if upload["Key"].startswith(prefix):
                    began = upload["Initiated"].astimezone(UTC)
                    yield UnfinishedUpload(key=upload["Key"], upload_id=upload["UploadId"], began=began)


def abort_upload(store: ObjectStore, upload: UnfinishedUpload) -> None:
    """End `upload`; a process that is still at it fails with TransientFailure."""
    with mapped(f"abort upload of {upload.key}"):
        store.client.abort_multipart_upload(Bucket=store.bucket, Key=upload.key, UploadId=upload.upload_id)


def _upload_parts(store: ObjectStore, key: str, upload: str, size: int, file: IO[bytes]) -> None:
    parts: list[CompletedPartTypeDef] = []
    buffer = bytearray(PART_BYTES)  # one for all parts: freed blocks of this size would stay with each thread
    for number in range(1, -(-size // PART_BYTES) + 1):
        del buffer[size - file.tell() :]
        if file.readinto(buffer) != len(buffer):  # type: ignore[attr-defined]
            raise TransientFailure(Code.INTERNAL, f"{key}: the file to upload became shorter")
        answer = store.client.upload_part(
            Bucket=store.bucket,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=cast("bytes", buffer),  # a bytearray is as good to botocore, its stubs do not know
            ContentMD5=content_md5(buffer),
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    store.client.complete_multipart_upload(
        Bucket=store.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )
