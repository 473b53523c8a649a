"""Compressed frames in all their wrappings, and codestreams that lie about themselves."""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.encaps import encapsulate

from braingranary.dicom.codestream import check_rle, stream_info
from braingranary.dicom.reader import read_series
from braingranary.dicom.syntax import Coding
from braingranary.errors import Code, RejectedInput
from tests.fixtures.dicom_factory import Scan, classic_dataset, classic_file, encoded, enhanced_series, written

JPEG_BASELINE = b"1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = b"1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS_1 = b"1.2.840.10008.1.2.4.70"
PIXELS_OPEN = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
PIXELS_CLOSE = b"\xfe\xff\xdd\xe0\0\0\0\0"


def with_value(data: bytes, value: bytes) -> bytes:
    """The compressed file with another encapsulated value."""
    return data[: data.index(PIXELS_OPEN)] + PIXELS_OPEN + value + PIXELS_CLOSE


def read_one(data: bytes) -> NDArray[Any]:
    return read_series([("1.dcm", data)]).volumes[0].volume.voxels


def code_of(data: bytes) -> Code:
    with pytest.raises(RejectedInput) as caught:
        read_series([("1.dcm", data)])
    return caught.value.code


@pytest.mark.parametrize("syntax", ["rle", "jpeg_lossless", "jpeg_ls", "jpeg_2000", "htj2k"])
@pytest.mark.parametrize("fragments", [1, 3])
def test_read_series_frame_in_fragments_is_joined(syntax: str, fragments: int) -> None:
    scan = Scan(syntax=syntax, rows=40, columns=40)
    stream = encoded(scan.pixels(0), scan)
    data = with_value(classic_file(scan), encapsulate([stream], fragments_per_frame=fragments))
    assert np.array_equal(read_one(data)[0], scan.pixels(0))


def test_read_series_frames_in_fragments_are_told_apart_by_the_offset_table() -> None:
    scan = Scan(syntax="jpeg_2000", rows=40, columns=40)
    streams = [encoded(scan.pixels(index), scan) for index in range(scan.slices)]
    (_, data), *_ = enhanced_series(scan)
    found = read_one(with_value(data, encapsulate(streams, fragments_per_frame=2)))
    assert all(np.array_equal(found[index], scan.pixels(index)) for index in range(scan.slices))


@pytest.mark.parametrize("syntax", ["jpeg_lossless", "jpeg_ls", "jpeg_2000", "htj2k"])
@pytest.mark.parametrize("per_frame", [2, 3])
def test_read_series_frames_without_offset_table_are_told_apart_by_their_ends(syntax: str, per_frame: int) -> None:
    scan = Scan(syntax=syntax, rows=40, columns=40)
    streams = [encoded(scan.pixels(index), scan) for index in range(scan.slices)]
    (_, data), *_ = enhanced_series(scan)
    found = read_one(with_value(data, encapsulate(streams, fragments_per_frame=per_frame, has_bot=False)))
    assert all(np.array_equal(found[index], scan.pixels(index)) for index in range(scan.slices))


def test_read_series_offset_table_that_fits_no_fragment_is_not_used() -> None:
    scan = Scan(syntax="jpeg_2000", rows=40, columns=40)
    streams = [encoded(scan.pixels(index), scan) for index in range(scan.slices)]
    (_, data), *_ = enhanced_series(scan)
    value = bytearray(encapsulate(streams, fragments_per_frame=2))
    value[12:16] = (7).to_bytes(4, "little")
    found = read_one(with_value(data, bytes(value)))
    assert all(np.array_equal(found[index], scan.pixels(index)) for index in range(scan.slices))


def test_read_series_more_or_fewer_codestreams_than_frames_are_rejected() -> None:
    scan = Scan(syntax="jpeg_2000", rows=40, columns=40)
    streams = [encoded(scan.pixels(0), scan)] * (scan.slices + 1)
    (_, data), *_ = enhanced_series(scan)
    for held in (streams, streams[:-2]):
        value = encapsulate(held, fragments_per_frame=2, has_bot=False)
        assert code_of(with_value(data, value)) is Code.PIXEL_DATA_MISMATCH


@pytest.mark.parametrize("syntax", ["rle", "jpeg_2000"])
def test_read_series_empty_fragments_belong_to_no_frame(syntax: str) -> None:
    scan = Scan(syntax=syntax)
    streams = [encoded(scan.pixels(index), scan) for index in range(scan.slices)]
    (_, data), *_ = enhanced_series(scan)
    value = encapsulate(streams, has_bot=False) + b"\xfe\xff\x00\xe0" + bytes(4)
    found = read_one(with_value(data, value))
    assert all(np.array_equal(found[index], scan.pixels(index)) for index in range(scan.slices))


@pytest.mark.parametrize("padding", [b"\0" * 2, b"\0" * 4000, b"\xff" * 4000, b"end of file"])
@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big_endian"])
def test_read_series_padding_behind_native_pixels_is_left_out(syntax: str, padding: bytes) -> None:
    scan = Scan(syntax=syntax)
    dataset = classic_dataset(scan, 0)
    dataset.PixelData += padding + b"\0" * (len(padding) % 2)
    assert np.array_equal(read_one(written(dataset, scan))[0], scan.pixels(0))


def test_read_series_image_behind_native_pixels_is_no_padding() -> None:
    scan = Scan()
    dataset = classic_dataset(scan, 0)
    dataset.PixelData += dataset.PixelData
    assert code_of(written(dataset, scan)) is Code.PIXEL_DATA_MISMATCH


@pytest.mark.parametrize("syntax", ["explicit", "jpeg_2000"])
def test_read_series_number_of_frames_zero_is_one(syntax: str) -> None:
    scan = Scan(syntax=syntax)
    assert np.array_equal(read_one(classic_file(scan, NumberOfFrames=0))[0], scan.pixels(0))


@pytest.mark.parametrize("high_bit", [0, 10, 16, 65535])
def test_read_series_high_bit_that_cannot_be_is_not_used(high_bit: int) -> None:
    scan = Scan()
    assert np.array_equal(read_one(classic_file(scan, HighBit=high_bit))[0], scan.pixels(0))


def test_read_series_8_bit_baseline_jpeg_is_read() -> None:
    scan = Scan(syntax="jpeg_lossless", bits_allocated=8, bits_stored=8, rows=32, columns=24)
    stream = bytes(imagecodecs.jpeg8_encode(np.full((32, 24), 77, np.uint8), level=95))
    data = with_value(classic_file(scan), encapsulate([stream])).replace(JPEG_LOSSLESS_1, JPEG_BASELINE, 1)
    assert np.all(np.abs(read_one(data).astype(int) - 77) <= 1)


def test_read_series_12_bit_extended_jpeg_is_read() -> None:
    scan = Scan(syntax="jpeg_lossless", rows=32, columns=24)
    image = np.full((32, 24), 3000, np.uint16)
    stream = bytes(imagecodecs.jpeg8_encode(image, level=98, bitspersample=12))
    data = with_value(classic_file(scan), encapsulate([stream])).replace(JPEG_LOSSLESS_1, JPEG_EXTENDED, 1)
    assert np.all(np.abs(read_one(data).astype(int) - 3000) <= 16)


def test_read_series_8_bit_codestream_in_16_bits_is_widened() -> None:
    scan = Scan(syntax="jpeg_ls", bits_stored=8)
    stream = bytes(imagecodecs.jpegls_encode(scan.pixels(0).astype(np.uint8)))
    assert np.array_equal(read_one(with_value(classic_file(scan), encapsulate([stream])))[0], scan.pixels(0))


def test_read_series_bits_outside_the_sample_are_cleared() -> None:
    scan = Scan()
    dataset = classic_dataset(scan, 0)
    dataset.PixelData = (scan.pixels(0) | 0xF000).astype("<u2").tobytes()
    assert np.array_equal(read_one(written(dataset, scan))[0], scan.pixels(0))


@pytest.mark.parametrize("syntax", ["jpeg_lossless", "jpeg_ls", "jpeg_2000", "htj2k"])
def test_read_series_codestream_of_another_shape_is_rejected(syntax: str) -> None:
    """The same number of pixels, rows and columns exchanged: only the codestream's own header tells."""
    scan = Scan(syntax=syntax)
    stream = encoded(np.ascontiguousarray(scan.pixels(0).T), scan)
    assert code_of(with_value(classic_file(scan), encapsulate([stream]))) is Code.PIXEL_DATA_MISMATCH


@pytest.mark.parametrize("signed", [False, True])
def test_read_series_sample_in_the_upper_bits_is_moved_down(signed: bool) -> None:
    scan = Scan(signed=signed)
    dataset = classic_dataset(scan, 0)
    dataset.HighBit = 15
    dataset.PixelData = (scan.pixels(0).astype(np.int32) << 4).astype("<i2").tobytes()
    assert np.array_equal(read_one(written(dataset, scan))[0], scan.pixels(0))


def test_read_series_native_pixels_under_compressed_syntax_are_rejected() -> None:
    native = classic_file(Scan())
    value = native[native.index(b"\xe0\x7f\x10\x00OW") :]
    data = classic_file(Scan(syntax="jpeg_ls"))
    assert code_of(data[: data.index(PIXELS_OPEN)] + value) is Code.PIXEL_DATA_MISMATCH


@pytest.mark.parametrize("syntax", ["jpeg_lossless", "jpeg_ls", "jpeg_2000", "rle"])
def test_read_series_garbage_for_a_codestream_is_rejected(syntax: str) -> None:
    data = with_value(classic_file(Scan(syntax=syntax)), encapsulate([bytes(range(200))]))
    assert code_of(data) is Code.PIXEL_DECODE_FAILED


@pytest.mark.parametrize("coding", [Coding.JPEG, Coding.JPEG_LS, Coding.JPEG_2000])
@pytest.mark.parametrize(
    "frame", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xda\0\2", b"\xff\x4f\xff\x51", b"\0" * 100]
)
def test_stream_info_headless_frames_are_rejected(coding: Coding, frame: bytes) -> None:
    with pytest.raises(RejectedInput) as caught:
        stream_info(coding, frame)
    assert caught.value.code is Code.PIXEL_DECODE_FAILED


@pytest.mark.parametrize(
    ("coding", "syntax"), [(Coding.JPEG, "jpeg_lossless"), (Coding.JPEG_LS, "jpeg_ls"), (Coding.JPEG_2000, "jpeg_2000")]
)
def test_stream_info_tells_what_the_codestream_claims(coding: Coding, syntax: str) -> None:
    scan = Scan(syntax=syntax, rows=33, columns=21)
    info = stream_info(coding, encoded(scan.pixels(0), scan))
    assert (info.rows, info.columns, info.components) == (33, 21, 1)


@pytest.mark.parametrize(
    "frame",
    [
        b"\1\0\0\0",
        struct.pack("<16L", 3, 64, 80, 96, *[0] * 12) + bytes(64),
        struct.pack("<16L", 2, 64, 64, *[0] * 13) + bytes(64),
        struct.pack("<16L", 2, 64, 4000, *[0] * 13) + bytes(64),
        struct.pack("<16L", 2, 0, 80, *[0] * 13) + bytes(64),
        struct.pack("<16L", 2, 64, 66, *[0] * 13) + bytes(64),
    ],
)
def test_check_rle_broken_tables_are_rejected(frame: bytes) -> None:
    with pytest.raises(RejectedInput):
        check_rle(frame, bytes_per_sample=2, pixels=4096)
