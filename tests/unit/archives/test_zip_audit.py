from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from braingranary.archives.zip_audit import ZipAudit, audit_zip
from braingranary.dicom.limits import DEFAULT_ZIP_LIMITS, ZipLimits
from braingranary.errors import Code, GranaryError, RejectedInput, TransientFailure
from braingranary.records import SeriesRecord

RECORD = SeriesRecord(
    archive="tcia", collection="C", series_uid="1.2.3", study_uid="1.2", subject_id="P", modality="MR"
)
IMAGES = {"1-01.dcm": b"first" * 1000, "1-02.dcm": b"second" * 1000}


class Pipe(io.RawIOBase):
    """A sink that cannot seek, so that zipfile writes data descriptors as a streaming server does."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


def zipped(
    members: dict[str, bytes], *, md5_of: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as target:
        target.writestr("LICENSE", "CC BY 4.0")
        for name, data in members.items():
            target.writestr(name, data)
        if md5_of is not None:
            rows = [f"{name},{hashlib.md5(data, usedforsecurity=False).hexdigest()}" for name, data in md5_of.items()]
            target.writestr("md5hashes.csv", "\n".join(["Filename,MD5Hash", *rows]))
    return bytes(pipe.data)


def chunked(data: bytes, size: int = 777) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def audit(data: bytes, record: SeriesRecord = RECORD, limits: ZipLimits = DEFAULT_ZIP_LIMITS) -> ZipAudit:
    return audit_zip(chunked(data), record, needs_md5=True, limits=limits)


def refused(data: bytes, record: SeriesRecord = RECORD, limits: ZipLimits = DEFAULT_ZIP_LIMITS) -> GranaryError:
    with pytest.raises((RejectedInput, TransientFailure)) as error:
        audit(data, record, limits)
    return error.value


def test_audit_zip_whole_zip_is_proven() -> None:
    told = audit(zipped(IMAGES, md5_of=IMAGES), replace(RECORD, image_count=2, total_bytes=11_000))
    assert [image.name for image in told.images] == list(IMAGES)
    assert (told.md5_verified, told.image_bytes, told.license_text) == (2, 11_000, "CC BY 4.0")


def test_audit_zip_content_is_equal_however_it_is_zipped_and_named() -> None:
    renamed = {f"x{name}": data for name, data in reversed(IMAGES.items())}
    first, second = audit(zipped(IMAGES, md5_of=IMAGES)), audit(zipped(renamed, md5_of=renamed))
    assert first.content_sha256 == second.content_sha256
    other = {**IMAGES, "1-02.dcm": b"other"}
    assert audit(zipped(other, md5_of=other)).content_sha256 != first.content_sha256


def test_audit_zip_cut_anywhere_is_never_taken_for_whole() -> None:
    data = zipped(IMAGES, md5_of=IMAGES)
    for length in range(0, len(data) - 1, 7):
        assert refused(data[:length]).code in {Code.DOWNLOAD_SHORT, Code.ARCHIVE_ANSWER_INVALID, Code.ZIP_INVALID}


def test_audit_zip_any_flipped_byte_of_an_image_is_found() -> None:
    for position in range(0, 5000, 500):
        damaged = bytearray(IMAGES["1-01.dcm"])
        damaged[position] ^= 1
        data = zipped({**IMAGES, "1-01.dcm": bytes(damaged)}, md5_of=IMAGES)
        assert refused(data).code is Code.CHECKSUM_MISMATCH


@pytest.mark.parametrize(
    ("data", "record", "code"),
    [
        (zipped(IMAGES), RECORD, Code.DOWNLOAD_SHORT),
        (zipped({"1-01.dcm": IMAGES["1-01.dcm"]}, md5_of=IMAGES), RECORD, Code.DOWNLOAD_SHORT),
        (zipped(IMAGES, md5_of={"1-01.dcm": IMAGES["1-01.dcm"]}), RECORD, Code.DOWNLOAD_SHORT),
        (zipped(IMAGES, md5_of=IMAGES), replace(RECORD, image_count=3), Code.DOWNLOAD_SHORT),
        (zipped(IMAGES, md5_of=IMAGES), replace(RECORD, total_bytes=11_001), Code.DOWNLOAD_SHORT),
        (zipped({}, md5_of={}), RECORD, Code.DOWNLOAD_SHORT),
        (b"", RECORD, Code.ARCHIVE_ANSWER_INVALID),
        (b"<html>please wait</html>" * 10, RECORD, Code.ARCHIVE_ANSWER_INVALID),
        (zipped(IMAGES, md5_of=IMAGES, method=zipfile.ZIP_STORED), RECORD, Code.ZIP_INVALID),
    ],
)
def test_audit_zip_fault_that_may_pass_is_transient(data: bytes, record: SeriesRecord, code: Code) -> None:
    error = refused(data, record)
    assert isinstance(error, TransientFailure)
    assert error.code is code


@pytest.mark.parametrize("name", ["../x.dcm", "/x.dcm", "a/../../x.dcm", "c:x.dcm", "a\\b.dcm", "a\x07.dcm", "x" * 600])
def test_audit_zip_unsafe_name_is_refused(name: str) -> None:
    error = refused(zipped({name: b"x"}, md5_of={}))
    assert isinstance(error, RejectedInput)
    assert error.code is Code.ZIP_UNSAFE_NAME


def test_audit_zip_bomb_is_refused_at_the_budget() -> None:
    bomb = zipped({"1-01.dcm": bytes(64 << 20)}, md5_of={})
    assert len(bomb) < 1 << 20
    assert refused(bomb).code is Code.ZIP_TOO_LARGE
    small = replace(DEFAULT_ZIP_LIMITS, member_bytes_max=1000)
    assert refused(zipped(IMAGES, md5_of=IMAGES), limits=small).code is Code.ZIP_TOO_LARGE
    total = replace(DEFAULT_ZIP_LIMITS, total_bytes_max=8000)
    assert refused(zipped(IMAGES, md5_of=IMAGES), limits=total).code is Code.ZIP_TOO_LARGE


def test_audit_zip_too_many_members_are_refused() -> None:
    many = {f"{number}.dcm": b"x" for number in range(50)}
    few = replace(DEFAULT_ZIP_LIMITS, entries_max=40)
    assert refused(zipped(many, md5_of=many), limits=few).code is Code.ZIP_TOO_MANY_ENTRIES


def test_audit_zip_blank_image_is_no_bomb() -> None:
    blank = {"1-01.dcm": bytes(8 << 20)}
    assert audit(zipped(blank, md5_of=blank)).md5_verified == 1


def test_audit_zip_dense_image_in_one_large_chunk_is_no_bomb() -> None:
    """The chunk holds the whole zip, so nothing more is taken from the source while the image inflates."""
    dense = {"1-01.dcm": (np.random.default_rng(1).bytes(1 << 14) + bytes(1 << 20)) * 64}
    data = zipped(dense, md5_of=dense)
    assert len(data) * 50 < len(dense["1-01.dcm"])
    assert audit_zip([data], RECORD, needs_md5=True).md5_verified == 1


def test_audit_zip_cp437_names_are_those_that_the_md5_list_tells() -> None:
    images = {"QQ1.dcm": b"first", "QQ2.dcm": b"second"}
    data = zipped({**images}).replace(b"QQ", b"\x84\x81")
    lines = [
        f"\u00e4\u00fc{name[2:]},{hashlib.md5(image, usedforsecurity=False).hexdigest()}"
        for name, image in images.items()
    ]
    listed = zipped({"md5hashes.csv": "\r\n".join(["\ufeffFilename,MD5Hash", *lines]).encode()})
    # the members of both, and the end of a zip that counts them
    local = data[: data.index(b"PK\x01\x02")] + listed[listed.index(b"PK\3\4", 4) :]
    end = local.rindex(b"PK\x05\x06")
    whole = local[: end + 8] + (4).to_bytes(2, "little") * 2 + local[end + 12 :]
    assert [image.name for image in audit(whole).images] == ["äü1.dcm", "äü2.dcm"]


def test_audit_zip_long_comment_hides_no_end_record() -> None:
    data = bytearray(zipped(IMAGES, md5_of=IMAGES))
    data[-2:] = (60_000).to_bytes(2, "little")
    assert audit(bytes(data) + b"c" * 60_000).md5_verified == 2


def test_audit_zip_unreadable_md5_list_is_transient() -> None:
    error = refused(zipped({**IMAGES, "md5hashes.csv": b"1-01.dcm," + b"x" * 200_000}))
    assert isinstance(error, TransientFailure)
    assert error.code is Code.ZIP_INVALID
