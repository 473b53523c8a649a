"""A single NIfTI file is staged only when all of it arrived and it is what it claims to be."""

from __future__ import annotations

import gzip
import hashlib
import struct

import pytest

from braingranary.archives.nifti_audit import audit_nifti
from braingranary.dicom.limits import ZipLimits
from braingranary.errors import Code, GranaryError, RejectedInput, TransientFailure
from braingranary.records import SeriesRecord

PLAIN = struct.pack("<i", 348) + bytes(range(256)) * 400
PACKED = gzip.compress(PLAIN, mtime=0)


def record(total_bytes: int | None = None) -> SeriesRecord:
    return SeriesRecord(
        archive="a", collection="c", series_uid="1.2", study_uid="1", subject_id="P", modality="MR",
        total_bytes=total_bytes, media_type="application/gzip",
    )  # fmt: skip


def chunked(data: bytes, size: int = 1000) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize(
    "data",
    [PACKED, gzip.compress(PLAIN[:500], mtime=0) + gzip.compress(PLAIN[500:], mtime=0), PACKED + bytes(100)],
    ids=["one member", "two members", "padded"],
)
def test_audit_nifti_content_is_the_same_however_it_was_compressed(data: bytes, size: int) -> None:
    audit = audit_nifti(chunked(data, size), record(len(data)), gzipped=True)
    [image] = audit.images
    assert (image.size, image.md5) == (len(PLAIN), hashlib.md5(PLAIN, usedforsecurity=False).hexdigest())


def test_audit_nifti_file_that_is_not_compressed() -> None:
    assert audit_nifti(chunked(PLAIN), record(len(PLAIN)), gzipped=False).image_bytes == len(PLAIN)


@pytest.mark.parametrize(
    ("data", "total", "code"),
    [
        (b"", None, Code.ARCHIVE_ANSWER_INVALID),
        (PACKED[:-1], None, Code.DOWNLOAD_SHORT),
        (PACKED[:200], None, Code.DOWNLOAD_SHORT),
        (PACKED, len(PACKED) + 1, Code.DOWNLOAD_SHORT),
        (b"\n<html>please wait</html>", None, Code.ARCHIVE_ANSWER_INVALID),
        (b"not what was asked for", None, Code.IMAGE_INVALID),
        (PACKED[:-8] + bytes(4) + PACKED[-4:], None, Code.IMAGE_INVALID),  # another CRC-32
        (gzip.compress(b"text" * 100, mtime=0), None, Code.IMAGE_INVALID),
        (gzip.compress(b"ab", mtime=0), None, Code.IMAGE_INVALID),
    ],
)
def test_audit_nifti_that_is_short_or_damaged_may_arrive_whole_next_time(
    data: bytes, total: int | None, code: Code
) -> None:
    with pytest.raises(TransientFailure) as failed:
        audit_nifti(chunked(data), record(total), gzipped=True)
    assert failed.value.code is code


def test_audit_nifti_bomb_is_refused_within_the_budget() -> None:
    limits = ZipLimits(ratio_free_bytes=1 << 20)
    with pytest.raises(RejectedInput) as refused:
        audit_nifti(chunked(gzip.compress(bytes(1 << 26))), record(), gzipped=True, limits=limits)
    assert refused.value.code is Code.ZIP_TOO_LARGE
    assert isinstance(refused.value, GranaryError)
