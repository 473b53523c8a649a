"""Decoders of compressed frames: one library a coding, each behind the checks of `dicom.codestream`.

In: one frame's bytes whose own claims were already found equal to the header's. Out: a 2-D array of stored bits in the
smallest unsigned type that holds them. Fails with RejectedInput(PIXEL_DECODE_FAILED), whatever the library raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom.codestream import check_rle, stream_info
from braingranary.dicom.syntax import Coding, TransferSyntax
from braingranary.errors import Code, RejectedInput

_UNSIGNED: Final[dict[int, np.dtype[Any]]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One frame and what its header says of it."""

    frame: bytes
    uid: str
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int


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
    task = _Task(
        frame=frame, uid=syntax.uid, rows=rows, columns=columns, bits_allocated=bits_allocated, bits_stored=bits_stored
    )
    try:
        plain = _DECODERS[syntax.coding](task)
    except RejectedInput:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like at broken input
        raise RejectedInput(Code.PIXEL_DECODE_FAILED, f"decoder failed with {type(error).__name__}") from None
    if len(plain) != rows * columns * width:
        raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "decoder gave another number of bytes than the header asks for")
    flat: NDArray[Any] = np.frombuffer(plain, dtype=_UNSIGNED[width])
    return flat.reshape(rows, columns)


def _rle(task: _Task) -> bytes | bytearray:
    from rle.utils import decode_pixel_data  # noqa: PLC0415 - codecs load only where a file needs them

    decoded = decode_pixel_data(
        task.frame, version=2, rows=task.rows, columns=task.columns, bits_allocated=task.bits_allocated
    )
    return cast("bytearray", decoded)


def _jpeg_ls(task: _Task) -> bytes | bytearray:
    import jpeg_ls  # type: ignore[import-untyped]  # noqa: PLC0415

    return cast("bytearray", jpeg_ls.decode_pixel_data(task.frame)[0])


def _jpeg_2000(task: _Task) -> bytes | bytearray:
    from openjpeg.utils import decode_pixel_data  # noqa: PLC0415

    return cast("bytearray", decode_pixel_data(task.frame, version=2))


def _jpeg(task: _Task) -> bytes | bytearray:
    from imagecodecs import jpeg_decode  # noqa: PLC0415

    return jpeg_decode(task.frame).tobytes()


_DECODERS: Final[dict[Coding, Callable[[_Task], bytes | bytearray]]] = {
    Coding.RLE: _rle,
    Coding.JPEG: _jpeg,
    Coding.JPEG_LS: _jpeg_ls,
    Coding.JPEG_2000: _jpeg_2000,
}
