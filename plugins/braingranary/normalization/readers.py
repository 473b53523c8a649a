"""The reader of a staged series, chosen by the media type that its receipt tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO, Final

from braingranary.dicom.bundle import read_members
from braingranary.dicom.limits import DEFAULT_ZIP_LIMITS
from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import SeriesImages
from braingranary.nifti.reader import read_nifti_series
from braingranary.records import Receipt


def _read_dicom_zip(file: BinaryIO) -> SeriesImages:
    return read_series(read_members(file, DEFAULT_ZIP_LIMITS))


def _read_nifti(file: BinaryIO) -> SeriesImages:
    return read_nifti_series(file)


_READERS: Final[Mapping[str, Callable[[BinaryIO], SeriesImages]]] = {
    "application/zip": _read_dicom_zip,
    "application/gzip": _read_nifti,
    "application/x-nifti": _read_nifti,
}


def read_staged(file: BinaryIO, receipt: Receipt) -> SeriesImages:
    """The images of one staged series.

    Args:
        file: its raw object, from `normalization.raw.raw_file`.
        receipt: the receipt beside it.

    Raises:
        RejectedInput: PIXEL_FORMAT_UNSUPPORTED for a media type that has no reader, or what the reader raises.

    """
    reader = _READERS.get(receipt.media_type)
    if reader is None:
        raise RejectedInput(Code.PIXEL_FORMAT_UNSUPPORTED, f"no reader for {receipt.media_type}")
    return reader(file)
