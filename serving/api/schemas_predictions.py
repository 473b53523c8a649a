"""What the routes of models and predictions take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from serving.api.schemas import Answer, PageParameters, Parameters, Plane, Single

ModelVersion = Annotated[
    str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", json_schema_extra={"example": "detector-1"})
]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), Single]


class SeriesPredictionsParameters(Parameters):
    """Which scores of a series."""

    model: ModelVersion | None = Field(default=None, description="slices by this model; the active one without")
    plane: Plane | None = Field(default=None, description="slices of this plane alone")


class PredictionsParameters(PageParameters):
    """Which series by what a model says of them."""

    model: ModelVersion | None = Field(default=None, description="the active one without")
    min_probability: Probability = 0.0
    max_probability: Probability = 1.0


class Model(Answer):
    """One registered version of the detector; research only, not a medical device."""

    version: str
    sha256: str = Field(description="of the weights")
    data_sha256: str = Field(description="of what it was trained on")
    trained_on: str
    architecture: str | None = Field(description="id of the network; null where not recorded")
    preprocessing: str | None = Field(description="id of how pictures are prepared; null where not recorded")
    license: str | None = Field(description="SPDX id of the licence of the weights; null where not recorded")
    figures: dict[str, Any] = Field(description="its evaluation, as the model card tells it")
    calibration_slope: float
    calibration_offset: float
    tumor_threshold: float = Field(description="a slice is called Tumor from this probability on")
    series_threshold: float = Field(description="a series is called Tumor from this probability on")
    brain_threshold: float = Field(description="a slice is declined below this brain probability")
    lesion_threshold: float
    active: bool = Field(description="the one whose word the named queries offer")
    registered_at: datetime


class ModelList(BaseModel):
    """Registered models, the newest first."""

    models: list[Model]


class SeriesPrediction(Answer):
    """What one model says of one series; probability, verdict and peak are null where it declines."""

    series_uid: str
    model: str
    active: bool
    tumor_probability: float | None
    tumor: bool | None = Field(description="probability at or over the model's own threshold")
    declined: bool = Field(description="too few slices look like brain MR")
    series_threshold: float
    slice_count: int
    accepted_count: int
    published_at: datetime
    peak_url: str | None = Field(description="the slice that speaks loudest")
    url: str


class SlicePrediction(Answer):
    """What the model says of one slice."""

    id: str
    volume: int
    plane: str
    slice_index: int
    tumor_probability: float
    brain_probability: float
    lesion_area_px: float = Field(description="expected area of the lesion in pixels of the slice")
    tumor: bool
    declined: bool = Field(description="does not look like brain MR, so that `tumor` says nothing")
    url: str


class SeriesPredictions(BaseModel):
    """Scores of a series by model, and of its slices by one of them."""

    predictions: list[SeriesPrediction]
    model: str | None = Field(description="whose word on the slices this is; null where none has spoken")
    slices: list[SlicePrediction]


class PredictionPage(BaseModel):
    """A page of series by falling probability."""

    predictions: list[SeriesPrediction]
    next: str | None
