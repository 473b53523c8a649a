"""What `/detect` takes and answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.api.schemas import Parameters


class DetectParameters(Parameters):
    """How much is told."""

    details: Literal["0", "1"] = Field(
        default="0", description="1: probability, threshold, model, slice, lesion as well"
    )
    overlay: Literal["0", "1"] = Field(
        default="0", description="1: a PNG of the slice with the outline; with details=1 it comes inside the JSON"
    )


class Box(BaseModel):
    """Pixels of the upload; bottom and right are the first ones outside."""

    top: int
    left: int
    bottom: int
    right: int


class Lesion(BaseModel):
    """What is outlined in the slice of the maximum."""

    box: Box
    area_px: int
    area_mm2: float | None = Field(description="null where the upload does not tell its pixel spacing")


class Detection(BaseModel):
    """One detection; all but `result` only with details=1. Research only, not a medical device."""

    model_config = ConfigDict(openapi_extra={"content": {"image/png": {}}})  # type: ignore[typeddict-unknown-key]

    result: Literal["Tumor", "No Tumor"]
    probability: float | None = Field(
        default=None, description="calibrated; of the picture, or of the series by the series rule"
    )
    threshold: float | None = Field(default=None, description="from which `probability` on the result is Tumor")
    model: str | None = None
    kind: str | None = Field(default=None, description="png, jpeg, dicom, dicom_zip or nifti")
    plane: str | None = Field(default=None, description="axial, coronal or sagittal, where the upload tells it")
    slices: int | None = None
    declined_slices: int | None = Field(default=None, description="slices that show no brain and do not count")
    slice: int | None = Field(default=None, description="which slice has the largest probability, from 0")
    slice_probability: float | None = None
    brain_probability: float | None = None
    height: int | None = Field(default=None, description="of the slice, in pixels of the upload")
    width: int | None = None
    lesion: Lesion | None = None
    overlay_png: str | None = Field(default=None, description="base64, with overlay=1 as well")
