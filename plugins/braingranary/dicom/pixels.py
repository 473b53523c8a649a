"""Pixels of one file: the format its header claims, held against budgets and bytes, and the frames behind it.

Native frames are views into the file's bytes (nothing is copied until a volume is put together); compressed ones are
decoded here, one by one, each checked first. Fails with RejectedInput: PIXEL_DATA_MISSING, PIXEL_DATA_MISMATCH,
PIXEL_FORMAT_UNSUPPORTED, PIXEL_DECODE_FAILED, DICOM_TOO_LARGE.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom import tags
from braingranary.dicom.codecs import decode_frame
from braingranary.dicom.limits import Limits
from braingranary.dicom.syntax import Coding
from braingranary.dicom.walk import PixelSpan, WalkedFile
from braingranary.errors import Code, RejectedInput

_RATIO_FREE_BYTES: Final = 16 << 20  # below this the compression ratio of a file is nobody's business
_CODESTREAM_END: Final = b"\xff\xd9"  # EOI and EOC: cannot occur among entropy-coded bytes
_CODESTREAM_TAIL_BYTES: Final = 10  # the end may be followed by padding


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFormat:
    """How the samples of a file are laid out."""

    rows: int
    columns: int
    frames: int
    bits_allocated: int
    bits_stored: int
    shift: int
    """Unused bits below the sample (HighBit + 1 - BitsStored)."""
    signed: bool
    inverted: bool
    """MONOCHROME1."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian type of the stored values."""
        return np.dtype(f"{'i' if self.signed else 'u'}{self.bits_allocated // 8}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return self.rows * self.columns * self.bits_allocated // 8


def pixel_format(walked: WalkedFile, limits: Limits) -> PixelFormat:
    """Read how the samples of a file are laid out.

    Args:
        walked: The file.
        limits: Budgets that the claims of its header are held against.

    Raises:
        RejectedInput: PIXEL_DATA_MISSING, PIXEL_FORMAT_UNSUPPORTED, DICOM_TOO_LARGE.
    """
    elements = walked.elements
    if walked.pixels is None:
        raise RejectedInput(Code.PIXEL_DATA_MISSING, "no pixel data")
    rows, columns = elements.integer(tags.ROWS), elements.integer(tags.COLUMNS)
    allocated = elements.integer(tags.BITS_ALLOCATED)
    if rows is None or columns is None or allocated is None:
        raise RejectedInput(Code.PIXEL_FORMAT_UNSUPPORTED, "rows, columns or bits are missing")
    frames = elements.integer(tags.NUMBER_OF_FRAMES) or 1  # writers of single images leave it out or say 0
    stored = elements.integer(tags.BITS_STORED)
    stored = allocated if stored is None else stored
    photometric = elements.text(tags.PHOTOMETRIC_INTERPRETATION) or "MONOCHROME2"
    if (elements.integer(tags.SAMPLES_PER_PIXEL) or 1) != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise RejectedInput(Code.PIXEL_FORMAT_UNSUPPORTED, "not a grey image")
    if allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
        raise RejectedInput(Code.PIXEL_FORMAT_UNSUPPORTED, "unusual bits of a sample")
    if not (1 <= rows <= limits.image_side_max and 1 <= columns <= limits.image_side_max and frames >= 1):
        raise RejectedInput(Code.DICOM_TOO_LARGE, "rows, columns or frames out of bounds")
    found = PixelFormat(
        rows=rows,
        columns=columns,
        frames=frames,
        bits_allocated=allocated,
        bits_stored=stored,
        shift=_unused_low_bits(elements.integer(tags.HIGH_BIT), stored, allocated),
        signed=elements.integer(tags.PIXEL_REPRESENTATION) == 1,
        inverted=photometric == "MONOCHROME1",
    )
    total = found.frame_bytes * frames
    if total > limits.pixel_bytes_file_max:
        raise RejectedInput(Code.DICOM_TOO_LARGE, f"{total} bytes of pixels in one file")
    if total > _RATIO_FREE_BYTES and total > len(walked.data) * limits.decoded_ratio_max:
        raise RejectedInput(Code.DICOM_TOO_LARGE, "pixels out of proportion to the file")
    return found


def _unused_low_bits(high_bit: int | None, stored: int, allocated: int) -> int:
    """Unused bits below the sample; none where the high bit is missing or cannot hold the bits stored."""
    return high_bit + 1 - stored if high_bit is not None and stored <= high_bit < allocated else 0


def read_frames(walked: WalkedFile, form: PixelFormat) -> list[NDArray[Any]]:
    """Read the stored values of every frame.

    Args:
        walked: The file.
        form: Its pixel format.

    Returns:
        One array (rows, columns) a frame, unused bits still in (see `clean_into`). Those of native files are views into
        the file's bytes.

    Raises:
        RejectedInput: PIXEL_DATA_MISSING, PIXEL_DATA_MISMATCH, PIXEL_DECODE_FAILED.
    """
    span = walked.pixels
    if span is None:
        raise RejectedInput(Code.PIXEL_DATA_MISSING, "no pixel data")
    if (walked.syntax.coding is Coding.NATIVE) is not (span.fragments is None):
        raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "pixel data and transfer syntax disagree on compression")
    if span.fragments is None:
        excess = span.length - form.frame_bytes * form.frames
        if excess < 0 or not _is_padding(walked.data[span.start + span.length - excess :][:excess], form):
            raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "pixel data of another length than the header asks for")
        stored = form.dtype.newbyteorder(">" if walked.syntax.big_endian else "<")
        flat = np.frombuffer(walked.data, stored, form.rows * form.columns * form.frames, span.start)
        return list(flat.reshape(form.frames, form.rows, form.columns))
    return [
        decode_frame(
            frame,
            walked.syntax,
            rows=form.rows,
            columns=form.columns,
            bits_allocated=form.bits_allocated,
        )
        for frame in _encapsulated(walked.data, span, form.frames)
    ]


def _is_padding(excess: bytes, form: PixelFormat) -> bool:
    """Whether bytes behind native pixels are filling: less than a row of anything, or one value over and over."""
    return len(excess) < form.columns * form.bits_allocated // 8 or excess.count(excess[0]) == len(excess)


def _encapsulated(data: bytes, span: PixelSpan, frames: int) -> list[bytes]:
    """Bytes of each frame, its fragments joined (PS3.5 annex A.4)."""
    pieces = [piece for piece in span.fragments or () if piece[1]]
    if len(pieces) == frames:
        groups = [[piece] for piece in pieces]
    elif frames == 1 and pieces:
        groups = [pieces]
    else:
        groups = _by_offsets(pieces, span.offsets) or _by_codestream_ends(data, pieces)
        if len(groups) != frames:
            raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "fragments cannot be told apart into frames")
    return [b"".join(data[start : start + length] for start, length in group) for group in groups]


def _by_offsets(pieces: list[tuple[int, int]], offsets: tuple[int, ...]) -> list[list[tuple[int, int]]]:
    """Fragments of each frame by the offset table; empty where there is none or it does not fit the fragments."""
    if not pieces or not offsets or offsets[0] != 0:
        return []
    # the table counts from the item header of the first fragment
    indices = {start - pieces[0][0]: index for index, (start, _) in enumerate(pieces)}
    firsts = [indices.get(offset, -1) for offset in offsets]
    if any(b <= a for a, b in pairwise(firsts)):
        return []
    return [pieces[a:b] for a, b in pairwise([*firsts, len(pieces)])]


def _by_codestream_ends(data: bytes, pieces: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Fragments of each frame where a fragment that holds the end of a codestream (JPEG, -LS, 2000) ends the frame."""
    groups: list[list[tuple[int, int]]] = [[]]
    for start, length in pieces:
        groups[-1].append((start, length))
        if _CODESTREAM_END in data[max(start, start + length - _CODESTREAM_TAIL_BYTES) : start + length]:
            groups.append([])
    return groups if groups[-1] else groups[:-1]


def clean_into(target: NDArray[Any], frame: NDArray[Any], form: PixelFormat) -> None:
    """Copy stored values, unused bits cleared and the sign extended.

    Args:
        target: Array (rows, columns) of `form.dtype` that takes them.
        frame: Stored values as `read_frames` gives them.
        form: The pixel format of their file.
    """
    if form.bits_stored == form.bits_allocated and frame.itemsize == target.itemsize:
        target[...] = frame.view(form.dtype.newbyteorder(frame.dtype.byteorder)) if form.signed else frame
        return
    unsigned = np.dtype(f"u{target.itemsize}")
    bits = frame.view(frame.dtype.str.replace("i", "u")) if frame.dtype.kind == "i" else frame
    if not form.signed and form.shift == 0:
        np.bitwise_and(bits, unsigned.type((1 << form.bits_stored) - 1), out=target, casting="unsafe")
        return
    view = target.view(unsigned)
    view[...] = bits
    view <<= unsigned.type(form.bits_allocated - form.bits_stored - form.shift)
    target >>= target.dtype.type(form.bits_allocated - form.bits_stored)
