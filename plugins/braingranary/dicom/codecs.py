"""Decoders of compressed frames: one library a coding, each behind the checks of `dicom.codestream`.

In: one frame's bytes whose own claims were already found equal to the header's. Out: a 2-D array of stored bits in the
smallest unsigned type that holds them. Fails with RejectedInput(PIXEL_DECODE_FAILED), whatever the library raised.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom.codestream import check_rle, stream_info
from braingranary.dicom.syntax import Coding, TransferSyntax
from braingranary.errors import Code, RejectedInput

_UNSIGNED: Final = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


def decode_frame(
    frame: bytes, syntax: TransferSyntax, *, rows: int, columns: int, bits_allocated: int, bits_stored: int
) -> NDArray[Any]:
    """Decode one monochrome frame of `rows` x `columns`; raises RejectedInput."""
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
    try:
        plain = _DECODERS[syntax.coding](frame, syntax, rows, columns, bits_allocated, bits_stored)
    except RejectedInput:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like at broken input
        raise RejectedInput(Code.PIXEL_DECODE_FAILED, f"decoder failed with {type(error).__name__}") from None
    if len(plain) != rows * columns * width:
        raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "decoder gave another number of bytes than the header asks for")
    return np.frombuffer(plain, dtype=_UNSIGNED[width]).reshape(rows, columns)


def _rle(frame: bytes, _: TransferSyntax, rows: int, columns: int, allocated: int, __: int) -> bytes | bytearray:
    import rle  # noqa: PLC0415 - codecs load only where a file needs them

    decoded = rle.decode_pixel_data(frame, version=2, rows=rows, columns=columns, bits_allocated=allocated)
    assert isinstance(decoded, bytearray)  # noqa: S101 - version 2 of that interface gives bytes
    return decoded


def _jpeg_ls(frame: bytes, _: TransferSyntax, __: int, ___: int, ____: int, _____: int) -> bytes | bytearray:
    import jpeg_ls  # noqa: PLC0415

    decoded: bytearray = jpeg_ls.decode_pixel_data(frame)[0]
    return decoded


def _jpeg_2000(frame: bytes, _: TransferSyntax, __: int, ___: int, ____: int, _____: int) -> bytes | bytearray:
    import openjpeg  # noqa: PLC0415

    decoded = openjpeg.decode_pixel_data(frame, version=2)
    assert isinstance(decoded, bytearray)  # noqa: S101 - version 2 of that interface gives bytes
    return decoded


def _jpeg(
    frame: bytes, syntax: TransferSyntax, rows: int, columns: int, allocated: int, stored: int
) -> bytes | bytearray:
    from pydicom.encaps import encapsulate  # noqa: PLC0415
    from pydicom.pixels import get_decoder  # noqa: PLC0415

    buffer, _ = get_decoder(syntax.uid).as_buffer(
        encapsulate([frame], has_bot=False),
        raw=True,
        decoding_plugin="gdcm",
        rows=rows,
        columns=columns,
        number_of_frames=1,
        samples_per_pixel=1,
        bits_allocated=allocated,
        bits_stored=stored,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        pixel_keyword="PixelData",
    )
    return bytes(buffer)


_DECODERS: Final = {
    Coding.RLE: _rle,
    Coding.JPEG: _jpeg,
    Coding.JPEG_LS: _jpeg_ls,
    Coding.JPEG_2000: _jpeg_2000,
}
