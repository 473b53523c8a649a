"""Zips as archives send them, and mutations of them: members or RejectedInput, nothing else."""

from __future__ import annotations

import io
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


def test_read_members_zip64_and_streamed_members_are_read() -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(zipfile.ZipInfo("é/1.dcm"), "w", force_zip64=True) as member:
            member.write(b"y" * 5000)
        archive.writestr("2.dcm", b"z")
    found = list(read_members(io.BytesIO(stream.getvalue())))
    assert found == [("é/1.dcm", b"y" * 5000), ("2.dcm", b"z")]


def test_read_members_gives_members_lazily() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("1.dcm", b"x")
        archive.writestr("2.dcm", b"PK\x03\x04")
    members = read_members(buffer, ZipLimits())
    assert next(members) == ("1.dcm", b"x")
    with pytest.raises(RejectedInput):
        next(members)
