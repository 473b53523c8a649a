"""What a compressed frame says about itself: dimensions, depth and components, read before any decoder sees it.

A decoder allocates what the codestream claims, not what the DICOM header claims, so a frame is decoded only where both
agree. In: the bytes of one frame. Out: a `StreamInfo`. Fails with RejectedInput(PIXEL_DECODE_FAILED) where the header
of the codestream is broken. Layouts: ITU-T T.81 annex B (JPEG), T.87 annex C (JPEG-LS), T.800 annex A (JPEG 2000),
DICOM PS3.5 annex G (RLE).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from braingranary.dicom.syntax import Coding
from braingranary.errors import Code, RejectedInput

_MARKERS_MAX: Final = 200
_JPEG_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2, 0xC3))  # baseline, extended, progressive, lossless
_JPEG_LS_FRAME: Final = 0xF7
_TILES_MAX: Final = 4096  # a decoder keeps a state a tile; MR images have one
_RLE_HEADER_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """Claims of one codestream."""

    rows: int
    columns: int
    components: int
    precision: int
    """Bits a sample."""


def stream_info(coding: Coding, frame: bytes) -> StreamInfo:
    """Read the claims of a JPEG, JPEG-LS or JPEG 2000 frame; RLE has none of its own, see `check_rle`.

    Args:
        coding: Which of them it is.
        frame: The whole frame.

    Raises:
        RejectedInput: PIXEL_DECODE_FAILED where there is no usable header.
    """
    if coding is Coding.JPEG_2000:
        return _jpeg_2000(frame)
    return _jpeg(frame, frozenset((_JPEG_LS_FRAME,)) if coding is Coding.JPEG_LS else _JPEG_FRAMES)


def check_rle(frame: bytes, *, bytes_per_sample: int, pixels: int) -> None:
    """Hold an RLE frame's segment table and its runs against the size of the image.

    Args:
        frame: The whole frame.
        bytes_per_sample: Segments that it must have, one for each byte of a sample.
        pixels: Bytes that each segment must give.

    Raises:
        RejectedInput: PIXEL_DECODE_FAILED where they cannot agree.
    """
    if len(frame) < _RLE_HEADER_BYTES:
        raise _broken("RLE frame without its header")
    count, *offsets = struct.unpack_from("<16L", frame)
    if count != bytes_per_sample:
        raise _broken("RLE segments differ from the bytes of a sample")
    bounds = [*offsets[:count], len(frame)]
    if bounds[0] != _RLE_HEADER_BYTES or any(b <= a for a, b in pairwise(bounds)):
        raise _broken("RLE segment table out of order")
    # a replicate run of two bytes gives at most 128 samples
    if any((b - a) * 64 < pixels for a, b in pairwise(bounds)):
        raise _broken("RLE segment too short for its frame")


def _jpeg(frame: bytes, frames_of_interest: frozenset[int]) -> StreamInfo:
    if frame[:2] != b"\xff\xd8":
        raise _broken("codestream without a start of image")
    position = 2
    for _ in range(_MARKERS_MAX):
        if position + 4 > len(frame) or frame[position] != 0xFF:
            break
        marker = frame[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        (length,) = struct.unpack_from(">H", frame, position + 2)
        if length < 2 or position + 2 + length > len(frame) or marker == 0xDA:
            break
        if marker in frames_of_interest:
            if length < 8:
                break
            precision, rows, columns, components = struct.unpack_from(">BHHB", frame, position + 4)
            return StreamInfo(rows=rows, columns=columns, components=components, precision=precision)
        position += 2 + length
    raise _broken("codestream without a usable frame header")


def _jpeg_2000(frame: bytes) -> StreamInfo:
    start = 0
    if frame[4:8] == b"jP  ":  # a JP2 file where the bare codestream belongs: find its codestream box
        start = frame.find(b"jp2c\xff\x4f\xff\x51") + 4
        if start < 4:
            raise _broken("JP2 file without a codestream")
    if frame[start : start + 4] != b"\xff\x4f\xff\x51" or len(frame) < start + 45:
        raise _broken("codestream without its size marker")
    length, _, x1, y1, x0, y0, tx, ty, tx0, ty0, components = struct.unpack_from(">HH8LH", frame, start + 4)
    if length != 38 + 3 * components or start + 4 + length > len(frame):
        raise _broken("size marker of the wrong length")
    if x0 or y0 or tx0 or ty0 or not (tx and ty and x1 and y1):
        raise _broken("image or tiles off the origin")
    if -(-x1 // tx) * -(-y1 // ty) > _TILES_MAX:
        raise _broken("too many tiles")
    depth, step_x, step_y = struct.unpack_from(">BBB", frame, start + 42)
    if step_x != 1 or step_y != 1:
        raise _broken("subsampled component")
    return StreamInfo(rows=y1, columns=x1, components=components, precision=(depth & 0x7F) + 1)


def _broken(detail: str) -> RejectedInput:
    return RejectedInput(Code.PIXEL_DECODE_FAILED, detail)
