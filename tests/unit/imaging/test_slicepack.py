"""Slice packs: an ordinary zip, one slice by its place, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import pytest

from braingranary.errors import Code, RejectedInput
from braingranary.imaging import jpeg
from braingranary.imaging.slicepack import checked_slice, read_pack, write_pack

JPEGS = [bytes([value]) * (100 + value) for value in range(12)]


def test_write_pack_entries_are_the_places_of_the_slices() -> None:
    pack = write_pack(JPEGS)
    for entry, expected in zip(pack.entries, JPEGS, strict=True):
        assert checked_slice(pack.data[entry.offset : entry.offset + entry.length], entry) == expected


def test_write_pack_is_a_stored_zip_that_anyone_opens() -> None:
    with zipfile.ZipFile(io.BytesIO(write_pack(JPEGS).data)) as archive:
        assert archive.namelist() == [f"{number:04d}.jpg" for number in range(1, 13)]
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert [archive.read(name) for name in archive.namelist()] == JPEGS


def test_write_pack_bytes_are_golden() -> None:
    digest = hashlib.sha256(write_pack(JPEGS).data).hexdigest()
    assert digest == "380d7153b37fd3a7a178db463d7602f2bcc4e2bbce181858dddb287a0e1b95ee"


def test_write_pack_beyond_9999_slices_keeps_names_and_order() -> None:
    pack = write_pack(b"x" for _ in range(10_001))
    with zipfile.ZipFile(io.BytesIO(pack.data)) as archive:
        assert archive.namelist()[-1] == "10001.jpg"
    last = pack.entries[-1]
    assert pack.data[last.offset : last.offset + last.length] == b"x"


@pytest.mark.parametrize("shift", [-1, 1])
def test_checked_slice_wrong_range_is_told(shift: int) -> None:
    pack = write_pack(JPEGS)
    entry = pack.entries[3]
    start = entry.offset + shift
    with pytest.raises(RejectedInput) as caught:
        checked_slice(pack.data[start : start + entry.length], entry)
    assert caught.value.code is Code.CHECKSUM_MISMATCH


def test_encode_jpeg_comes_back_within_a_few_grey_levels() -> None:
    row, column = np.indices((90, 70))
    grey = np.asarray(128 + 100 * np.sin(row / 15) * np.cos(column / 11), dtype=np.uint8)
    back = jpeg.decode(jpeg.encode(grey))
    assert back.shape == (90, 70)
    assert np.abs(back.astype(int) - grey).max() <= 6


def test_encode_jpeg_of_a_flipped_view_equals_that_of_its_copy() -> None:
    grey = np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)
    view = grey.T[::-1]
    assert jpeg.encode(view) == jpeg.encode(view.copy())


def test_encode_jpeg_too_wide_is_rejected() -> None:
    with pytest.raises(RejectedInput) as caught:
        jpeg.encode(np.zeros((1, 65_501), np.uint8))
    assert caught.value.code is Code.SERIES_TOO_LARGE


def test_decode_garbage_is_rejected() -> None:
    with pytest.raises(RejectedInput) as caught:
        jpeg.decode(b"no jpeg")
    assert caught.value.code is Code.PIXEL_DECODE_FAILED


def test_read_pack_gives_back_every_jpeg_in_order() -> None:
    jpegs = [bytes([number]) * (number + 1) for number in range(12)]
    assert list(read_pack(write_pack(jpegs).data)) == jpegs


def test_read_pack_compressed_broken_or_no_zip_is_rejected() -> None:
    compressed = io.BytesIO()
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0001.jpg", b"\0" * 100)
    whole = write_pack([b"one", b"two"]).data
    flipped = whole.replace(b"one", b"0ne", 1)
    for data in (b"", b"no zip", compressed.getvalue(), whole[: len(whole) // 2], flipped):
        with pytest.raises(RejectedInput) as caught:
            read_pack(data)
        assert caught.value.code is Code.ZIP_INVALID
