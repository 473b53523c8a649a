"""The object store client: a bucket of any S3, with integrity checks, conditional writes and errors with codes.

Everything the library keeps goes through here. Goes in: keys made by `storage.keys` and bytes. Comes out: bytes,
`ObjectInfo` or a bool for a conditional write. Writes carry an MD5 that the server checks; reads that break are
resumed on the same version of the object. Fails with TransientFailure (OBJECT_STORE_UNAVAILABLE) after botocore's
own retries, RejectedInput (OBJECT_MISSING, KEY_INVALID) or ConfigurationError (bucket, credentials, endpoint).
An ObjectStore may be shared by threads, not across a fork.
"""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.settings import StoreSettings
from braingranary.storage.failures import is_conflict, is_missing, is_precondition, mapped, s3_code, translated
from braingranary.storage.reader import BLOCK_BYTES, RangeReader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 60.0
ATTEMPTS: Final = 5  # botocore's standard mode: exponential backoff with jitter between them
POOL_CONNECTIONS: Final = 32  # more than the threads any one process of ours runs
CHUNK_BYTES: Final = 1024 * 1024
KEY_BYTES_MAX: Final = 1024  # limit of S3
DELETE_BATCH: Final = 1000  # limit of S3
_STREAM_RESUMES: Final = 4
_CONFLICT_RETRIES: Final = 5
_CONFLICT_PAUSE_S: Final = 0.1

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What the store knows of one object without reading it; `modified` is UTC."""

    key: str
    size: int
    etag: str
    modified: datetime


class ObjectStore:
    """One bucket of an S3."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self.client = client
        self.bucket = bucket

    @classmethod
    def from_settings(cls, settings: StoreSettings) -> ObjectStore:
        """A store with timeouts, retries and a sized pool; without keys the AWS chain finds the credentials."""
        secret = settings.secret_key.get_secret_value() if settings.secret_key is not None else None
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            max_pool_connections=POOL_CONNECTIONS,
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
            # A named endpoint is rarely reachable as bucket.host; AWS itself keeps its default.
            # Bytes are hashed once: every write carries Content-MD5, itself signed, which every S3 checks; not all of
            # them check a signature over the payload or understand the newer checksum trailers.
            s3={"addressing_style": "path" if settings.endpoint_url else "auto", "payload_signing_enabled": False},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # boto3.client() shares one session that is not safe to use from several threads.
        with mapped("open the object store"):
            client = boto3.session.Session().client(
                "s3",
                endpoint_url=settings.endpoint_url,
                region_name=settings.region,
                aws_access_key_id=settings.access_key,
                aws_secret_access_key=secret,
                config=config,
            )
        return cls(client, settings.bucket)

    def ensure_bucket(self) -> None:
        """Create the bucket unless it stands; safe against a second caller."""
        region = self.client.meta.region_name
        with mapped(f"ensure bucket {self.bucket}"):
            try:
                self.client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if s3_code(error) not in {"404", "NoSuchBucket", "NotFound"}:
                    raise
            else:
                return
            try:
                if region == "us-east-1":  # the one region that must not be named
                    self.client.create_bucket(Bucket=self.bucket)
                else:
                    self.client.create_bucket(
                        Bucket=self.bucket,
                        CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
                    )
            except ClientError as error:
                if s3_code(error) not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise

    # reading

    def check(self) -> None:
        """Raise unless the store answers and the bucket is there for us."""
        with mapped(f"look for bucket {self.bucket}"):
            self.client.head_bucket(Bucket=self.bucket)

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of `key`, or None where there is no such object."""
        check_key(key)
        with mapped(f"head {key}"):
            try:
                answer = self.client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return ObjectInfo(
            key=key,
            size=answer["ContentLength"],
            etag=answer["ETag"],
            modified=answer["LastModified"].astimezone(UTC),
        )

    def exists(self, key: str) -> bool:
        """Whether there is an object at `key`."""
        return self.head(key) is not None

    def get(self, key: str) -> bytes:
        """All bytes of `key`; raises RejectedInput(OBJECT_MISSING)."""
        return b"".join(self.stream(key))

    def get_range(self, key: str, start: int, length: int, *, etag: str | None = None) -> bytes:
        """Exactly `length` bytes from `start` (0-based); with `etag` only of that version of the object.

        Raises RejectedInput(OBJECT_MISSING, or REQUEST_INVALID when the object ends before the range does).
        """
        if start < 0 or length < 0:
            raise RejectedInput(Code.REQUEST_INVALID, f"range of {key} is negative")
        data = b"".join(self._ranged(key, start, start + length, etag)) if length else b""
        if len(data) != length:
            raise RejectedInput(Code.REQUEST_INVALID, f"{key} ends before byte {start + length}")
        return data

    def stream(self, key: str, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """The bytes of `key` in chunks, in constant memory; a connection that breaks is resumed where it broke."""
        return self._ranged(key, 0, None, None, chunk_bytes)

    def open(self, key: str) -> io.BufferedReader:
        """A seekable file over `key` (for zipfile) by range GETs; raises RejectedInput(OBJECT_MISSING)."""
        info = self.head(key)
        if info is None:
            raise RejectedInput(Code.OBJECT_MISSING, f"open {key}: no such object")
        block = max(io.DEFAULT_BUFFER_SIZE, min(BLOCK_BYTES, info.size))
        return io.BufferedReader(RangeReader(self, key, info.size, info.etag), block)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object under `prefix` in key order, fetched page by page."""
        with mapped(f"list {prefix}"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield ObjectInfo(
                        key=item["Key"],
                        size=item["Size"],
                        etag=item["ETag"],
                        modified=item["LastModified"].astimezone(UTC),
                    )

    # writing

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write `data` in one request; with `if_absent` only where there is no object yet, False where there is.

        The server checks the MD5. False may also answer our own first attempt, when its answer was lost and it was
        sent again: callers for whom that matters compare what stands there with what they meant to write.
        """
        check_key(key)
        digest = content_md5(data)
        with mapped(f"put {key}"):
            if not if_absent:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentMD5=digest)
                return True
            for attempt in range(_CONFLICT_RETRIES):
                try:
                    self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentMD5=digest, IfNoneMatch="*")
                except ClientError as error:
                    if is_precondition(error):
                        return False
                    if not is_conflict(error):
                        raise
                else:
                    return True
                # 409: another writer is in the middle of it, and may still fail; look again in a moment.
                time.sleep(_CONFLICT_PAUSE_S * (attempt + 1))
                if self.head(key) is not None:
                    return False
        raise TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, f"put {key}: writers kept colliding")

    def delete(self, key: str) -> None:
        """Remove `key`; no error where there is none."""
        check_key(key)
        with mapped(f"delete {key}"):
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys`, 1,000 a request; returns how many were asked for."""
        batch: list[str] = []
        count = 0
        for key in keys:
            check_key(key)
            batch.append(key)
            if len(batch) == DELETE_BATCH:
                count += self._delete_batch(batch)
                batch = []
        return count + (self._delete_batch(batch) if batch else 0)

    # below

    def _ranged(
        self, key: str, start: int, stop: int | None, etag: str | None, chunk_bytes: int = CHUNK_BYTES
    ) -> Iterator[bytes]:
        """Bytes [start, stop) of `key`, resumed on the same ETag when the connection breaks."""
        check_key(key)
        what, position, resumes = f"get {key}", start, 0
        while True:
            try:
                request: GetObjectRequestTypeDef = {"Bucket": self.bucket, "Key": key}
                if position or stop is not None:
                    request["Range"] = f"bytes={position}-{'' if stop is None else stop - 1}"
                if etag:
                    request["IfMatch"] = etag
                answer = self.client.get_object(**request)
                etag = answer["ETag"]
                end = position + answer["ContentLength"]
                with answer["Body"] as body:
                    while chunk := body.read(chunk_bytes):
                        yield chunk
                        position += len(chunk)
            except ClientError as error:
                if resumes and is_precondition(error):
                    raise TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, f"{what}: replaced while read") from error
                raise translated(error, what) from error
            except BotoCoreError as error:
                if resumes >= _STREAM_RESUMES:
                    raise translated(error, what) from error
                _log.info("object_read_resumed", key=key, position=position, error=type(error).__name__)
            else:
                if position >= end:
                    return
            if resumes >= _STREAM_RESUMES:
                raise TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, f"{what}: the answer keeps ending early")
            resumes += 1

    def _delete_batch(self, batch: Sequence[str]) -> int:
        with mapped("delete objects"):
            answer = self.client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
            )
        if failed := answer.get("Errors"):
            raise TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, f"{len(failed)} of {len(batch)} not deleted")
        return len(batch)


def content_md5(data: bytes | bytearray) -> str:
    """What the header Content-MD5 holds."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def check_key(key: str) -> None:
    """Refuse keys that a store backed by files could take for a path elsewhere."""
    parts = key.split("/")
    if (
        not key
        or len(key.encode("utf-8", "replace")) > KEY_BYTES_MAX
        or any(part in {"", ".", ".."} for part in parts)
        or any(ord(char) < 32 or ord(char) == 127 for char in key)
    ):
        raise RejectedInput(Code.KEY_INVALID, f"not a usable object key ({len(key)} characters)")
