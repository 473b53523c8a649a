"""The proof of a series' zip while it streams by: every member counted, measured and compared with its MD5.

Goes in: the zip's bytes in chunks. Comes out: a `ZipAudit`. In constant memory, nothing is written anywhere. Fails with
RejectedInput for what no retry mends (ZIP_UNSAFE_NAME, ZIP_TOO_LARGE, ZIP_TOO_MANY_ENTRIES) and with TransientFailure
for what one may (DOWNLOAD_SHORT, CHECKSUM_MISMATCH, ZIP_INVALID, ARCHIVE_ANSWER_INVALID).
"""

from __future__ import annotations

import csv
import hashlib
import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from stream_unzip import IntegrityError, TruncatedDataError, UnzipError, stream_unzip

from braingranary.dicom.bundle import is_safe_name
from braingranary.dicom.limits import DEFAULT_ZIP_LIMITS, ZipLimits
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.records import SeriesRecord

MD5_MEMBER: Final = "md5hashes.csv"
LICENSE_MEMBER: Final = "LICENSE"
MD5_BYTES_MAX: Final = 8 * 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024
_END: Final = struct.Struct("<4s4H2LH")  # end of central directory, APPNOTE.TXT 4.3.16
_END_SIGNATURE: Final = b"PK\x05\x06"
_TAIL_BYTES: Final = _END.size + 0xFFFF  # the longest comment
_ENTRIES_ZIP64: Final = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image member: MD5 in hexadecimal, size in bytes."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipAudit:
    """What was proven of one zip."""

    images: tuple[Image, ...]
    md5_verified: int
    license_text: str | None

    @property
    def image_bytes(self) -> int:
        """Bytes of all images, inflated."""
        return sum(image.size for image in self.images)

    @property
    def content_sha256(self) -> str:
        """SHA-256 over the sorted MD5s of the images."""
        lines = "\n".join(sorted(image.md5 for image in self.images))
        return hashlib.sha256(lines.encode()).hexdigest()


def audit_zip(
    chunks: Iterable[bytes], record: SeriesRecord, *, needs_md5: bool, limits: ZipLimits = DEFAULT_ZIP_LIMITS
) -> ZipAudit:
    """Read the whole of `chunks` and prove it against its own MD5s and against `record`'s count and size."""
    source = _Source(chunks)
    members = _Members(limits, source)
    try:
        for raw_name, _size, pieces in stream_unzip(source, chunk_size=_CHUNK_BYTES):
            members.take(raw_name, pieces)
    except TruncatedDataError as error:
        raise _empty_or_short(source) from error
    except IntegrityError as error:
        raise TransientFailure(Code.CHECKSUM_MISMATCH, "a member does not match the zip's own CRC or size") from error
    except UnzipError as error:
        code = Code.ARCHIVE_ANSWER_INVALID if not source.looks_like_zip else Code.ZIP_INVALID
        raise TransientFailure(code, f"not a zip that can be streamed ({type(error).__name__})") from error
    source.check_end(members.entries)
    verified = _check_md5(members, needs_md5)
    _check_record(members.images, record)
    return ZipAudit(images=tuple(members.images), md5_verified=verified, license_text=members.license_text)


class _Source:
    """The chunks, counted, with the last of them kept for the end record."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._tail = b""
        self._head = b""
        self.taken = 0
        self.finished = 0
        """Bytes of the chunks before the last one, which belong to members before the one that is being read."""

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.finished = self.taken
            self.taken += len(chunk)
            if len(self._head) < 4:
                self._head = (self._head + chunk[:4])[:4]
            self._tail = (self._tail + chunk)[-_TAIL_BYTES:] if len(chunk) < _TAIL_BYTES else chunk[-_TAIL_BYTES:]
            yield chunk

    @property
    def looks_like_zip(self) -> bool:
        """Whether it begins as a zip does."""
        return self._head[:2] == b"PK"

    def check_end(self, entries: int) -> None:
        """The end record must be there and count the entries that were seen: otherwise the tail was lost."""
        at = self._tail.rfind(_END_SIGNATURE)
        if at < 0 or len(self._tail) - at < _END.size:
            raise TransientFailure(Code.DOWNLOAD_SHORT, "the zip has no end record")
        told = _END.unpack_from(self._tail, at)[4]
        if told not in (entries, _ENTRIES_ZIP64):
            raise TransientFailure(Code.ZIP_INVALID, f"the zip counts {told} members and holds {entries}")


class _Members:
    """What the members were, within the limits."""

    def __init__(self, limits: ZipLimits, source: _Source) -> None:
        self._limits = limits
        self._source = source
        self._names: set[str] = set()
        self._total = 0
        self.entries = 0
        self.images: list[Image] = []
        self.md5_text: str | None = None
        self.license_text: str | None = None

    def take(self, raw_name: bytes, pieces: Iterable[bytes]) -> None:
        """Read one member to its end."""
        self.entries += 1
        if self.entries > self._limits.entries_max:
            raise RejectedInput(Code.ZIP_TOO_MANY_ENTRIES, f"more than {self._limits.entries_max} members")
        name = self._checked_name(raw_name)
        if name.endswith("/"):
            for _piece in self._bounded(pieces, 0):
                pass
        elif name == MD5_MEMBER:
            self.md5_text = b"".join(self._bounded(pieces, MD5_BYTES_MAX)).decode("utf-8-sig", "replace")
        elif name == LICENSE_MEMBER:
            self.license_text = b"".join(self._bounded(pieces, MD5_BYTES_MAX)).decode("utf-8", "replace")
        else:
            digest, size = hashlib.md5(usedforsecurity=False), 0
            for piece in self._bounded(pieces, self._limits.member_bytes_max):
                digest.update(piece)
                size += len(piece)
            self.images.append(Image(name=name, size=size, md5=digest.hexdigest()))

    def _checked_name(self, raw_name: bytes) -> str:
        name = _decoded_name(raw_name)
        if name in self._names or not is_safe_name(name, self._limits):
            raise RejectedInput(Code.ZIP_UNSAFE_NAME, "a member's name leaves the folder, repeats, or cannot be told")
        self._names.add(name)
        return name

    def _bounded(self, pieces: Iterable[bytes], member_max: int) -> Iterator[bytes]:
        limits, began, size = self._limits, self._source.finished, 0
        for piece in pieces:
            size += len(piece)
            self._total += len(piece)
            # at least the member's own compressed bytes: a chunk holds the ends of its neighbours too
            compressed = self._source.taken - began
            dense = size > max(limits.ratio_free_bytes, limits.ratio_max * compressed)
            if size > member_max or self._total > limits.total_bytes_max or dense:
                raise RejectedInput(Code.ZIP_TOO_LARGE, "a member inflates beyond the budget")
            yield piece


def _decoded_name(raw_name: bytes) -> str:
    """The name as UTF-8, which most writers use whatever their flag says, else as cp437 (APPNOTE appendix D)."""
    try:
        return raw_name.decode()
    except UnicodeDecodeError:
        return raw_name.decode("cp437")


def _empty_or_short(source: _Source) -> TransientFailure:
    if not source.taken:
        return TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "nothing where a zip should be")
    if not source.looks_like_zip:
        return TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "no zip where one should be")
    return TransientFailure(Code.DOWNLOAD_SHORT, "the zip ends in the middle")


def _check_md5(members: _Members, needed: bool) -> int:
    """Number of images that match; every one must, where there are MD5s at all."""
    if members.md5_text is None:
        if needed:
            raise TransientFailure(Code.DOWNLOAD_SHORT, f"no {MD5_MEMBER}: the archive closed the zip early")
        return 0
    told: dict[str, str] = {}
    try:
        for row in csv.reader(io.StringIO(members.md5_text, newline="")):
            if len(row) >= 2 and row[0].strip() != "Filename":
                told[row[0].strip()] = row[1].strip().lower()
    except csv.Error as error:
        raise TransientFailure(Code.ZIP_INVALID, f"{MD5_MEMBER} cannot be read") from error
    arrived = {image.name: image.md5 for image in members.images}
    missing = told.keys() - arrived.keys() - {LICENSE_MEMBER}
    if missing or arrived.keys() - told.keys():
        detail = f"{len(missing)} images of {MD5_MEMBER} missing, {len(arrived.keys() - told.keys())} not listed"
        raise TransientFailure(Code.DOWNLOAD_SHORT, detail)
    wrong = sum(told[name] != md5 for name, md5 in arrived.items())
    if wrong:
        raise TransientFailure(Code.CHECKSUM_MISMATCH, f"{wrong} of {len(arrived)} images do not match their MD5")
    return len(arrived)


def _check_record(images: list[Image], record: SeriesRecord) -> None:
    if not images:
        raise TransientFailure(Code.DOWNLOAD_SHORT, "no image in the zip")
    if record.image_count is not None and len(images) != record.image_count:
        detail = f"{len(images)} images arrived, the record says {record.image_count}"
        raise TransientFailure(Code.DOWNLOAD_SHORT, detail)
    size = sum(image.size for image in images)
    if record.total_bytes is not None and size != record.total_bytes:
        raise TransientFailure(Code.DOWNLOAD_SHORT, f"{size} bytes arrived, the record says {record.total_bytes}")
