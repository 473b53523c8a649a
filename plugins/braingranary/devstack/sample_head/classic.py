"""Classic MR files, one slice a file, and the two series that a catalogue must turn away.

The localizer holds three planes in one series, as scanners send it; the truncated series holds files cut off in the
middle of their pixels, as an interrupted transfer leaves them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Final

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import FileDataset

from braingranary.devstack.sample_head.acquire import scan
from braingranary.devstack.sample_head.head import Head
from braingranary.devstack.sample_head.headers import (
    TRANSFER_SYNTAX,
    add_patient_and_study,
    add_physics,
    add_pixels,
    add_series,
    decimal,
    image_class,
    new_file,
    orientation,
    uid,
)
from braingranary.devstack.sample_head.plan import Form, SeriesPlan
from braingranary.records import Plane

TRUNCATED_SHARE: Final = 0.55
"""Share of a file's bytes that an interrupted transfer leaves."""
SCOUTS_A_PLANE: Final = 3


def classic_files(plan: SeriesPlan, head: Head) -> Iterator[bytes]:
    """The files of a classic series in instance order."""
    pixels = scan(head, plan.grid, plan.contrast, plan.subject.traits, full_scale=plan.full_scale)
    file = _series_file(plan)
    for index, slice_pixels in enumerate(pixels):
        _place(file, plan, index, index + 1)
        add_pixels(file, slice_pixels, plan)
        data = encode(file)
        yield data[: int(len(data) * TRUNCATED_SHARE)] if plan.form is Form.TRUNCATED else data


def localizer_files(plan: SeriesPlan, head: Head) -> Iterator[bytes]:
    """Three slices of each plane, all in one series."""
    number = 0
    for plane in (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL):
        scouts = replace(plan, grid=replace(plan.grid, plane=plane, slices=SCOUTS_A_PLANE))
        pixels = scan(head, scouts.grid, plan.contrast, plan.subject.traits, full_scale=plan.full_scale)
        file = _series_file(scouts)
        file.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "M", "ND"]
        for index, slice_pixels in enumerate(pixels):
            number += 1
            _place(file, scouts, index, number)
            add_pixels(file, slice_pixels, scouts)
            yield encode(file)


def _series_file(plan: SeriesPlan) -> FileDataset:
    """A classic MR file with all that its series' slices share; one is made and refilled, which is twice as quick."""
    file = new_file(image_class(plan), uid(plan.key, 0), TRANSFER_SYNTAX[plan.encoding])
    add_patient_and_study(file, plan)
    add_series(file, plan)
    add_physics(file, plan)
    siemens = plan.subject.scanner.manufacturer.lower().startswith("siemens")
    file.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"] if siemens else ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]
    file.AcquisitionNumber = 1
    file.ImageOrientationPatient = orientation(plan)
    file.PixelSpacing = [decimal(plan.grid.pixel_mm)] * 2
    file.SliceThickness = decimal(plan.grid.thickness_mm)
    file.SpacingBetweenSlices = decimal(plan.grid.spacing_mm)
    file.WindowCenter, file.WindowWidth = decimal(plan.full_scale * 0.4), decimal(plan.full_scale * 0.8)
    if plan.rescale_slope is not None:
        file.RescaleSlope = decimal(plan.rescale_slope)
        file.RescaleIntercept = "0"
        file.RescaleType = "US"
    return file


def _place(file: FileDataset, plan: SeriesPlan, index: int, number: int) -> None:
    """Make `file` that of slice `index`, instance `number`: identity and position."""
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = uid(plan.key, number)
    file.InstanceNumber = number
    position = plan.grid.position_lps(index)
    file.ImagePositionPatient = [decimal(float(part)) for part in position]
    file.SliceLocation = decimal(float(np.dot(position, plan.grid.directions_lps()[2])))


def encode(file: FileDataset) -> bytes:
    """The file's bytes, with preamble and meta header."""
    buffer = BytesIO()
    dcmwrite(buffer, file, enforce_file_format=True)
    return buffer.getvalue()
