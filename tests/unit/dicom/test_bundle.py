"""Zips as archives send them, and mutations of them: members or RejectedInput, nothing else."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from braingranary.dicom.bundle import read_members
from braingranary.dicom.limits import ZipLimits
from braingranary.errors import Code, RejectedInput
from tests.fixtures.child import run_child

MUTATIONS = """
import io, sys, zipfile
import numpy as np
from braingranary.dicom.bundle import read_members
from braingranary.errors import RejectedInput
from tests.fixtures.dicom_factory import classic_series
from tests.fixtures.dicom_fuzz import mutated

originals = []
for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in classic_series():
            archive.writestr(name, data)
    originals.append(buffer.getvalue())
random = np.random.default_rng(3)
read = refused = 0
for _ in range(int(sys.argv[1])):
    raw = mutated(originals[int(random.integers(2))], random)
    # the directory stands at the end: mutate it as often as the front
    if random.integers(2):
        raw = mutated(originals[int(random.integers(2))][::-1], random)[::-1]
    try:
        list(read_members(io.BytesIO(raw)))
        read += 1
    except RejectedInput:
        refused += 1
print(read, refused)
"""


def test_read_members_mutated_zips_give_only_typed_errors() -> None:
    child = run_child(MUTATIONS, "2000")
    assert child.exit_status == 0, child.errors
    read, refused = map(int, child.lines[-1].split())
    assert read > 0
    assert refused > 1000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_read_members_unusual_compression_is_refused(method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("1.dcm", b"x" * 100)
    with pytest.raises(RejectedInput) as caught:
        list(read_members(buffer))
    assert caught.value.code is Code.ZIP_INVALID


def test_read_members_flipped_byte_is_found_by_its_checksum() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("1.dcm", b"x" * 100)
    raw = bytearray(buffer.getvalue())
    raw[60] ^= 1
    with pytest.raises(RejectedInput) as caught:
        list(read_members(io.BytesIO(bytes(raw))))
    assert caught.value.code is Code.ZIP_INVALID


class Unseekable(io.BytesIO):
    """A sink that cannot seek, so that zipfile puts sizes into data descriptors behind the members."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_read_members_zip64_and_streamed_members_are_read(method: int) -> None:
    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", method) as archive:
        with archive.open(zipfile.ZipInfo("é/1.dcm"), "w", force_zip64=True) as member:
            member.write(b"y" * 5000)
        archive.writestr("2.dcm", b"z")
    found = list(read_members(io.BytesIO(stream.getvalue())))
    assert found == [("é/1.dcm", b"y" * 5000), ("2.dcm", b"z")]


def test_read_members_cp437_names_are_no_overlap() -> None:
    """In UTF-8 the name is longer than in the zip, which must not make its member reach into the next."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("QQQ.dcm", b"x")
        archive.writestr("2.dcm", b"y")
    raw = buffer.getvalue().replace(b"QQQ", b"\x81\xc4\xb0")
    assert list(read_members(io.BytesIO(raw))) == [("ü─░.dcm", b"x"), ("2.dcm", b"y")]


def with_zip64_end(raw: bytes, *, entries: int, directory_bytes: int, told_at: int | None = None) -> bytes:
    """The zip with a zip64 end record and its locator, and nothing but "see there" in the end record proper."""
    end = raw.rindex(b"PK\x05\x06")
    (start,) = struct.unpack_from("<L", raw, end + 16)
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, directory_bytes, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end if told_at is None else told_at, 1)
    tail = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return raw[:end] + record + locator + tail


@pytest.mark.parametrize("front", [b"", b"#!self-extracting" * 9])
def test_read_members_zip64_end_record_is_read_wherever_the_zip_begins(front: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1.dcm", b"x" * 99)
    raw = buffer.getvalue()
    size = raw.rindex(b"PK\x05\x06") - raw.index(b"PK\x01\x02")
    sound = front + with_zip64_end(raw, entries=1, directory_bytes=size)
    assert list(read_members(io.BytesIO(sound))) == [("1.dcm", b"x" * 99)]


@pytest.mark.parametrize(("entries", "directory_bytes"), [(20_001, 51), (1, 1 << 40), (1 << 63, 51)])
@pytest.mark.parametrize("told_at", [None, 0, 1 << 62])
def test_read_members_zip64_claims_are_held_to_the_limits(
    entries: int, directory_bytes: int, told_at: int | None
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1.dcm", b"x")
    raw = with_zip64_end(buffer.getvalue(), entries=entries, directory_bytes=directory_bytes, told_at=told_at)
    with pytest.raises(RejectedInput) as caught:
        list(read_members(io.BytesIO(raw)))
    assert caught.value.code is Code.ZIP_TOO_MANY_ENTRIES


def test_read_members_blank_image_is_no_bomb() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("blank.dcm", bytes(8 << 20))
    assert len(buffer.getvalue()) < 16_000
    ((_, data),) = read_members(buffer)
    assert len(data) == 8 << 20


def test_read_members_gives_members_lazily() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("1.dcm", b"x")
        archive.writestr("2.dcm", b"PK\x03\x04")
    members = read_members(buffer, ZipLimits())
    assert next(members) == ("1.dcm", b"x")
    with pytest.raises(RejectedInput):
        next(members)
