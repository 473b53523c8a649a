"""What a detection on demand answers: plain values that cross from the process that decodes to the one that serves.

Importing this needs neither torch nor numpy, because the front door itself never loads a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["Tumor", "No Tumor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionAnswer:
    """The outlined lesion in one slice."""

    box: tuple[int, int, int, int]
    """(top, left, bottom, right) in pixels of the upload, bottom and right exclusive."""
    area_px: int
    """In pixels of the upload."""
    area_mm2: float | None
    """Where the upload tells its pixel spacing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One detection."""

    result: Result
    probability: float
    """Calibrated: of the picture, or of the series by the series rule."""
    threshold: float
    """From which `probability` on the result is Tumor."""
    brain_probability: float
    """That the shown slice is brain MR at all."""
    model: str
    """Version of the model."""
    kind: str
    """What the upload is: png, jpeg, dicom, dicom_zip, nifti."""
    plane: str | None
    """Plane of the slices, where the upload tells it."""
    slices: int
    declined_slices: int
    """Slices that show no brain (above and below the head) and do not count."""
    peak_slice: int
    """Which slice has the largest probability, from 0; the lesion and the overlay are of this one."""
    peak_probability: float
    height: int
    width: int
    """Size of that slice in pixels of the upload."""
    lesion: LesionAnswer | None
    """None where the result is No Tumor or no pixel is suspected strongly enough to be outlined."""
    overlay_png: bytes | None
    """The slice with the outline, where it was asked for."""
