"""Decoders of compressed frames, each behind the checks of `dicom.codestream`.

imagecodecs binds them all: libjpeg-turbo (every JPEG process, lossless and 12 bit too), CharLS, OpenJPEG (high
throughput JPEG 2000 as well) and a bounded RLE. Fails with RejectedInput: PIXEL_DATA_MISMATCH, PIXEL_DECODE_FAILED.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom.codestream import check_rle, stream_info
from braingranary.dicom.syntax import Coding, TransferSyntax
from braingranary.errors import Code, RejectedInput


def decode_frame(frame: bytes, syntax: TransferSyntax, *, rows: int, columns: int, bits_allocated: int) -> NDArray[Any]:
    """Decode one monochrome frame.

    Args:
        frame: Its bytes, all fragments joined.
        syntax: A compressed transfer syntax.
        rows: Rows that the DICOM header claims; the codestream must agree.
        columns: Columns that it claims.
        bits_allocated: Bits of a sample in the file; the codestream may have fewer.

    Returns:
        Stored bits, shape (rows, columns), unsigned; the sign is left to `pixels.clean_into`.

    Raises:
        RejectedInput: PIXEL_DATA_MISMATCH, PIXEL_DECODE_FAILED.
    """
    if syntax.coding is Coding.RLE:
        width = bits_allocated // 8
        check_rle(frame, bytes_per_sample=width, pixels=rows * columns)
    else:
        info = stream_info(syntax.coding, frame)
        if (info.rows, info.columns, info.components) != (rows, columns, 1):
            raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "codestream and header disagree on the image's size")
        if not 2 <= info.precision <= bits_allocated:
            raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "codestream and header disagree on the bits of a sample")
        width = 1 if info.precision <= 8 else 2 if info.precision <= 16 else 4
    expected = rows * columns * width
    try:
        plain = _decoded(frame, syntax.coding, width, expected)
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like at broken input
        raise RejectedInput(Code.PIXEL_DECODE_FAILED, f"decoder failed with {type(error).__name__}") from None
    if len(plain) != expected:
        raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "decoder gave another number of bytes than the header asks for")
    flat: NDArray[Any] = np.frombuffer(plain, dtype=f"<u{width}")
    return flat.reshape(rows, columns)


def _decoded(frame: bytes, coding: Coding, width: int, expected_bytes: int) -> bytes | bytearray:
    import imagecodecs  # noqa: PLC0415 - loads only where a file needs it

    if coding is Coding.RLE:
        # the size of the result is given, so the decoder cannot be made to write more
        return imagecodecs.dicomrle_decode(frame, f"<u{width}", out=expected_bytes)
    if coding is Coding.JPEG:
        # libjpeg-turbo by name: the general entry falls back to a lossless decoder that crashes on broken input
        return imagecodecs.jpeg8_decode(frame).tobytes()
    if coding is Coding.JPEG_LS:
        return imagecodecs.jpegls_decode(frame).tobytes()
    return imagecodecs.jpeg2k_decode(frame).tobytes()
