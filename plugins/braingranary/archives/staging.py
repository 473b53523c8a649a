"""Stage one series of an archive under raw/: proven while it arrives, uploaded only once it is proven whole.

Bytes go to a nameless temporary file (small series stay in memory) while they are hashed and audited; proven, they are
uploaded once, to the key that their SHA-256 names, `canonical.json` claims the series by a conditional PUT, the receipt
comes last. A kill at any step leaves nothing that a reader takes for a series, and the next attempt goes on from what
stands.

What is wrong with the bytes of a series for good is a reject. What may pass (`archives.failures`) is raised.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import structlog

from braingranary.archives.base import Archive
from braingranary.archives.codec import from_json, to_json
from braingranary.archives.failures import may_pass
from braingranary.archives.nifti_audit import audit_nifti
from braingranary.archives.retries import Deadline, retrying, watched
from braingranary.archives.zip_audit import ZipAudit, audit_zip
from braingranary.dicom.limits import DEFAULT_ZIP_LIMITS, ZipLimits
from braingranary.errors import Code, GranaryError, RejectedInput, TransientFailure
from braingranary.records import Receipt, Reject, SeriesRecord
from braingranary.scratch import room_on_disk
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from braingranary.storage.uploads import abort_upload, put_file, unfinished_uploads

STEP: Final = "stage"
STALE_AFTER: Final = timedelta(hours=6)
"""Longer than the upload of any series may take: what is older has lost its process."""
IN_MEMORY_BYTES: Final = 1024 * 1024
"""Series up to this size never touch the disk."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedSeries:
    """What became of one series. `raw_key` is None where it was rejected; a conflict has both."""

    series_uid: str
    raw_key: str | None
    zip_bytes: int = 0
    image_bytes: int = 0
    already: bool = False
    """It was there before; nothing was added."""
    attempts: int = 0
    wasted_bytes: int = 0
    """Bytes received in attempts that failed."""
    reject: Reject | None = None


def stage_series(
    store: ObjectStore,
    archive: Archive[Any],
    record: SeriesRecord,
    *,
    force: bool = False,
    limits: ZipLimits = DEFAULT_ZIP_LIMITS,
    on_bytes: Callable[[int], None] = lambda _count: None,
) -> StagedSeries:
    """Stage `record` unless it is staged; with `force` fetch it again and compare.

    `on_bytes` is told of every chunk from this thread. Raises GranaryError for what may pass (see `archives.failures`),
    and whatever the object store raises.
    """
    try:
        standing = read_canonical(store, record)
    except RejectedInput as error:
        return _rejected(record, error, None)
    if standing is not None and not force:
        _finish(store, standing)
        return _already(standing)
    with _Fetch(store, archive, record, limits=limits, on_bytes=on_bytes) as fetched:
        try:
            audit = fetched.run()
        except GranaryError as error:
            if may_pass(error):
                raise
            rejected = _rejected(record, error, fetched.quarantine(error))
            return replace(rejected, attempts=fetched.attempts, wasted_bytes=fetched.wasted_bytes + fetched.zip_bytes)
        return _place(store, record, fetched, audit)


def read_canonical(store: ObjectStore, record: SeriesRecord) -> Receipt | None:
    """The receipt that speaks for the series, if it is staged; raises RejectedInput(UID_INVALID)."""
    key = keys.canonical(record.archive, record.collection, record.series_uid)
    try:
        return from_json(Receipt, store.get(key))
    except RejectedInput as error:
        if error.code is Code.OBJECT_MISSING:
            return None
        raise


def abort_uploads(store: ObjectStore, archive: str, records: Iterable[SeriesRecord]) -> int:
    """End the uploads that killed processes left of `records`, and old ones of the whole archive; returns how many."""
    ours = {keys.raw_prefix(record.archive, record.collection, record.series_uid) for record in records}
    limit = datetime.now(UTC) - STALE_AFTER
    aborted = 0
    for upload in unfinished_uploads(store, keys.raw_archive_prefix(archive)):
        if upload.began < limit or upload.key.rpartition("/")[0] + "/" in ours:
            abort_upload(store, upload)
            aborted += 1
    return aborted


class _Fetch:
    """Attempts at one series, and the bytes of the last one."""

    def __init__(
        self,
        store: ObjectStore,
        archive: Archive[Any],
        record: SeriesRecord,
        *,
        limits: ZipLimits,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._store, self._archive, self._record, self._limits = store, archive, record, limits
        self._on_bytes = on_bytes
        self._deadline = Deadline(archive.politeness.series_deadline_s)
        self._digest = hashlib.sha256()
        self._whole = False
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - this class is its context
        self.zip_bytes = 0
        self.attempts = 0
        self.wasted_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take
            self._file.close()

    @property
    def sha256(self) -> str:
        """Of the zip's bytes, in hexadecimal."""
        return self._digest.hexdigest()

    def run(self) -> ZipAudit:
        """Fetch until the zip is proven or patience ends; the last failure is raised as it is."""
        for attempt in retrying(self._archive.politeness, deadline=self._deadline):
            with attempt:
                return self._once()
        raise TransientFailure(Code.INTERNAL, "no attempt was made")

    def upload_to(self, key: str) -> None:
        """Make the bytes visible at `key`, which their SHA-256 names: what stands there already is the same."""
        if not self._store.exists(key):
            put_file(self._store, key, self._file)

    def quarantine(self, error: GranaryError) -> str | None:
        """Keep the bytes of the last attempt for a person to look at, if they arrived whole."""
        if not self._whole or not self.zip_bytes:
            return None
        record = self._record
        key = keys.quarantine(record.archive, record.collection, record.series_uid, error.code, self.sha256)
        self.upload_to(key)
        reject = _reject(record, error, key)
        self._store.put(f"{key.removesuffix('.bin')}.json", to_json(reject), if_absent=True)
        return key

    def _once(self) -> ZipAudit:
        self.wasted_bytes += self.zip_bytes
        self.zip_bytes = 0
        self._file.seek(0)
        self._file.truncate()
        self.attempts += 1
        self._digest, self._whole = hashlib.sha256(), False
        with self._archive.fetch(self._record) as chunks:
            arriving = self._kept(watched(chunks, self._archive.politeness, self._deadline))
            try:
                return self._audited(arriving)
            except RejectedInput:
                # A bomb is not inflated any further, yet its bytes are kept whole as far as they are few.
                with contextlib.suppress(TransientFailure, RejectedInput):
                    for _chunk in arriving:
                        pass
                raise

    def _audited(self, arriving: Iterator[bytes]) -> ZipAudit:
        kind = self._record.media_type
        if kind == "application/zip":
            return audit_zip(arriving, self._record, needs_md5=self._archive.sends_md5, limits=self._limits)
        return audit_nifti(arriving, self._record, gzipped=kind == "application/gzip", limits=self._limits)

    def _kept(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.zip_bytes + len(chunk) > self._limits.total_bytes_max:
                raise RejectedInput(Code.ZIP_TOO_LARGE, "the zip itself is beyond the budget")
            self._digest.update(chunk)
            with room_on_disk():
                self._file.write(chunk)
            self.zip_bytes += len(chunk)
            self._on_bytes(len(chunk))
            yield chunk
        with room_on_disk():
            self._file.flush()
        self._whole = True


def _place(store: ObjectStore, record: SeriesRecord, fetched: _Fetch, audit: ZipAudit) -> StagedSeries:
    """The proven zip to raw/, unless the series stands there already with these or other images."""
    raw_key = keys.raw_object(record.archive, record.collection, record.series_uid, fetched.sha256, record.media_type)
    ours = Receipt(
        record=record,
        raw_key=raw_key,
        sha256=fetched.sha256,
        zip_bytes=fetched.zip_bytes,
        image_count=len(audit.images),
        image_bytes=audit.image_bytes,
        md5_verified=audit.md5_verified,
        staged_at=datetime.now(UTC),
        media_type=record.media_type,
        content_sha256=audit.content_sha256,
    )
    standing = read_canonical(store, record)
    if standing is None:
        fetched.upload_to(raw_key)
        key = keys.canonical(record.archive, record.collection, record.series_uid)
        if store.put(key, to_json(ours), if_absent=True):
            standing = ours
        else:
            standing = read_canonical(store, record) or ours
            if standing.raw_key != raw_key:
                store.delete(raw_key)  # another copy was first with another zip; nothing names ours
    _finish(store, standing)
    told = replace(_already(standing), attempts=fetched.attempts, wasted_bytes=fetched.wasted_bytes)
    if standing.content_sha256 == ours.content_sha256:
        return replace(told, already=standing is not ours)
    conflict = RejectedInput(Code.SERIES_CONTENT_CONFLICT, "the archive now sends other images; the first stay")
    reject = replace(_reject(record, conflict, fetched.quarantine(conflict)), fatal=False)
    _log.warning("series_content_conflict", series=record.series_uid)
    return replace(told, reject=reject)


def _finish(store: ObjectStore, standing: Receipt) -> None:
    """Write the receipt beside the zip, which a kill after the claim may have left out."""
    store.put(keys.receipt(standing.raw_key), to_json(standing), if_absent=True)


def _already(standing: Receipt) -> StagedSeries:
    return StagedSeries(
        series_uid=standing.record.series_uid,
        raw_key=standing.raw_key,
        zip_bytes=standing.zip_bytes,
        image_bytes=standing.image_bytes,
        already=True,
    )


def _rejected(record: SeriesRecord, error: GranaryError, object_key: str | None) -> StagedSeries:
    reject = _reject(record, error, object_key)
    _log.warning("series_rejected", series=reject.series_uid, code=error.code)
    return StagedSeries(series_uid=reject.series_uid, raw_key=None, reject=reject)


def _reject(record: SeriesRecord, error: GranaryError, object_key: str | None) -> Reject:
    return Reject(
        archive=record.archive,
        collection=record.collection,
        series_uid=keys.segment(record.series_uid),
        code=error.code,
        step=STEP,
        detail=error.message,
        object_key=object_key,
    )
