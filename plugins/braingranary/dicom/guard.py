"""The guard before every parser and decoder: budgets, the walk that holds claims against bytes, and the preamble.

The first 128 bytes of a DICOM file are free for any use, so a file can be an image and a program at once (a
"polyglot", CVE-2019-11687). Reading ignores the preamble; whatever writes DICOM out again zeroes it first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from braingranary.dicom.limits import DEFAULT_LIMITS, DEFAULT_ZIP_LIMITS, Limits, ZipLimits
from braingranary.dicom.walk import PREAMBLE_BYTES, PixelSpan, WalkedFile, walk_file
from braingranary.errors import Code, RejectedInput

__all__ = [
    "DEFAULT_LIMITS",
    "DEFAULT_ZIP_LIMITS",
    "Limits",
    "PixelSpan",
    "Preamble",
    "WalkedFile",
    "ZipLimits",
    "preamble_of",
    "walk_file",
    "with_zeroed_preamble",
]

_MAGIC: Final = b"DICM"


class Preamble(StrEnum):
    """What the first 128 bytes of a DICOM file look like."""

    ABSENT = "absent"
    EMPTY = "empty"
    TIFF = "tiff"
    """Dual-personality whole-slide files use it in earnest."""
    EXECUTABLE = "executable"
    OTHER = "other"


def preamble_of(data: bytes) -> Preamble:
    """Tell what stands before the DICM prefix."""
    if data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] != _MAGIC:
        return Preamble.ABSENT
    head = data[:PREAMBLE_BYTES]
    if not any(head):
        return Preamble.EMPTY
    if head.startswith((b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")):
        return Preamble.EXECUTABLE
    return Preamble.TIFF if head.startswith((b"II*\0", b"MM\0*")) else Preamble.OTHER


def with_zeroed_preamble(data: bytes) -> bytes:
    """The same file with an empty preamble, every other byte kept; raises RejectedInput(NOT_DICOM) without prefix."""
    if data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] != _MAGIC:
        raise RejectedInput(Code.NOT_DICOM, "no DICOM prefix behind the preamble")
    return bytes(PREAMBLE_BYTES) + data[PREAMBLE_BYTES:]
