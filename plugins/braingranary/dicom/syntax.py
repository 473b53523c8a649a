"""Transfer syntaxes: how the elements are laid out and how the pixels are coded, by UID (DICOM PS3.5 annex A)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Coding(StrEnum):
    """How the pixel data are coded."""

    NATIVE = "native"
    RLE = "rle"
    JPEG = "jpeg"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg-2000"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSyntax:
    """One transfer syntax that can be read."""

    uid: str
    coding: Coding = Coding.NATIVE
    explicit: bool = True
    big_endian: bool = False
    deflated: bool = False


IMPLICIT: Final = TransferSyntax(uid="1.2.840.10008.1.2", explicit=False)
EXPLICIT: Final = TransferSyntax(uid="1.2.840.10008.1.2.1")
BIG_ENDIAN: Final = TransferSyntax(uid="1.2.840.10008.1.2.2", big_endian=True)

SYNTAXES: Final = {
    syntax.uid: syntax
    for syntax in (
        IMPLICIT,
        EXPLICIT,
        BIG_ENDIAN,
        TransferSyntax(uid="1.2.840.10008.1.2.1.99", deflated=True),
        TransferSyntax(uid="1.2.840.10008.1.2.5", coding=Coding.RLE),
        # baseline, extended (12 bit), lossless, lossless with selection value 1
        TransferSyntax(uid="1.2.840.10008.1.2.4.50", coding=Coding.JPEG),
        TransferSyntax(uid="1.2.840.10008.1.2.4.51", coding=Coding.JPEG),
        TransferSyntax(uid="1.2.840.10008.1.2.4.57", coding=Coding.JPEG),
        TransferSyntax(uid="1.2.840.10008.1.2.4.70", coding=Coding.JPEG),
        TransferSyntax(uid="1.2.840.10008.1.2.4.80", coding=Coding.JPEG_LS),
        TransferSyntax(uid="1.2.840.10008.1.2.4.81", coding=Coding.JPEG_LS),
        TransferSyntax(uid="1.2.840.10008.1.2.4.90", coding=Coding.JPEG_2000),
        TransferSyntax(uid="1.2.840.10008.1.2.4.91", coding=Coding.JPEG_2000),
        # high throughput: another block coder in the same codestream, which OpenJPEG decodes as well
        TransferSyntax(uid="1.2.840.10008.1.2.4.201", coding=Coding.JPEG_2000),
        TransferSyntax(uid="1.2.840.10008.1.2.4.202", coding=Coding.JPEG_2000),
        TransferSyntax(uid="1.2.840.10008.1.2.4.203", coding=Coding.JPEG_2000),
    )
}
