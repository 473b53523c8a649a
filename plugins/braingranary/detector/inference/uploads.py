"""One upload, whatever it is, to the pictures that the detector looks at: hostile bytes in, grey slices out.

What it is is told by its content alone, never by a name or a content type: PNG, JPEG, one DICOM file, a zip of a DICOM
series, NIfTI plain or in a gzip. A volume becomes the slices of its acquired plane exactly as the catalogue stores
them: window of the volume, 8 bits, radiological display, JPEG of the profile's quality and back. So a series gets the
same answer here as in a batch. Of a series with several volumes the first counts. A single DICOM file has only its own
slice to find the window in, so its grey levels may differ from those of its whole series.

Everything happens in memory and within `LIMITS`. In: bytes. Out: `Upload`. Fails with RejectedInput: IMAGE_INVALID,
IMAGE_TOO_LARGE, IMAGE_COLOURED, and the codes of DICOM, zip and series reading.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from braingranary.detector.inference.raster import read_raster
from braingranary.detector.model.preprocessing.picture import Picture
from braingranary.dicom.bundle import read_members
from braingranary.dicom.limits import Limits, ZipLimits
from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging import jpeg
from braingranary.imaging.intensity import to_grey
from braingranary.imaging.planes import acquired_stack
from braingranary.imaging.volume import Volume
from braingranary.nifti.header import NiftiLimits
from braingranary.nifti.inflate import is_gzip
from braingranary.nifti.reader import is_nifti, read_nifti
from braingranary.records import Plane

MIB: Final = 1 << 20
SLICES_MAX: Final = 512
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_DICM: Final = (128, 132)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Budgets of one upload, chosen so that the process that reads it stays under 700 MB."""

    dicom: Limits = Limits(  # noqa: RUF009 - frozen
        file_bytes_max=128 * MIB,
        pixel_bytes_file_max=96 * MIB,
        pixel_bytes_series_max=96 * MIB,
        image_side_max=2048,
        files_max=2_000,
    )
    zip: ZipLimits = ZipLimits(  # noqa: RUF009 - frozen
        entries_max=2_000, member_bytes_max=128 * MIB, total_bytes_max=160 * MIB
    )
    nifti: NiftiLimits = NiftiLimits(working_bytes_max=450 * MIB)  # noqa: RUF009 - frozen


LIMITS: Final = UploadLimits()


class Kind(StrEnum):
    """What an upload turned out to be."""

    PNG = "png"
    JPEG = "jpeg"
    DICOM = "dicom"
    DICOM_ZIP = "dicom_zip"
    NIFTI = "nifti"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Upload:
    """The pictures of one upload."""

    kind: Kind
    pictures: tuple[Picture, ...]
    """At least one, each (rows, columns); slices in the catalogue's order."""
    series: bool
    """Whether the pictures are the slices of a volume: the series rule decides."""
    scale: int = 1
    """Sides of the upload over sides of its picture."""
    pixel_mm: tuple[float, float] | None = None
    """Height and width of a pixel, where the upload tells it."""
    plane: Plane | None = None


def read_upload(data: bytes, limits: UploadLimits = LIMITS) -> Upload:
    """Read one upload of any kind within `limits`.

    Args:
        data: the whole body.
        limits: budgets of bytes, pixels and memory.

    Returns:
        One picture of a PNG or JPEG, or the slices of a volume as the catalogue shows them.

    Raises:
        RejectedInput: see the module.
    """
    kind = kind_of(data)
    if kind in {Kind.PNG, Kind.JPEG}:
        raster = read_raster(data)
        return Upload(kind=kind, pictures=(raster.picture,), series=False, scale=raster.scale)
    if kind is Kind.NIFTI:
        return _slices(kind, read_nifti(data, limits.nifti))
    files = [("upload", data)] if kind is Kind.DICOM else read_members(io.BytesIO(data), limits.zip)
    images = read_series(files, limits=limits.dicom)
    return _slices(kind, images.volumes[0].volume)


def kind_of(data: bytes) -> Kind:
    """What `data` is by its first bytes; raises RejectedInput(IMAGE_INVALID)."""
    if data[slice(*_DICM)] == b"DICM":
        return Kind.DICOM
    if data.startswith(_PNG):
        return Kind.PNG
    if data.startswith(_JPEG):
        return Kind.JPEG
    if data.startswith(_ZIP):
        return Kind.DICOM_ZIP
    if is_gzip(data) or is_nifti(data):
        return Kind.NIFTI
    raise RejectedInput(Code.IMAGE_INVALID, "neither PNG nor JPEG, DICOM, a zip of DICOM, or NIfTI")


def _slices(kind: Kind, volume: Volume) -> Upload:
    stack = acquired_stack(to_grey(volume)[0], volume.affine)
    if stack.slices.shape[0] > SLICES_MAX:
        raise RejectedInput(Code.SERIES_TOO_LARGE, f"more than {SLICES_MAX} slices")
    pictures = tuple(jpeg.decode(jpeg.encode(image)) for image in stack.slices)
    _, height_mm, width_mm = stack.spacing_mm
    return Upload(
        kind=kind, pictures=pictures, series=len(pictures) > 1, pixel_mm=(height_mm, width_mm), plane=stack.plane
    )
