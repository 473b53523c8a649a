"""What models say of series and slices, read back: raw probabilities, and the verdict at the model's own threshold.

Goes in: a connection, a series or bounds of the score. Comes out: frozen records; probabilities are calibrated and
between 0 and 1. Nothing found is an empty list, never an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from braingranary.catalog.db import Connection, many

MODELS_MAX = 100  # more versions than anyone keeps
SLICES_MAX = 5_000  # of one series: a model looks at three planes of one volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One registered version of the detector; research only, not a medical device."""

    version: str
    sha256: Annotated[str, Field(description="of the weights")]
    data_sha256: Annotated[str, Field(description="of what it was trained on")]
    trained_on: str
    architecture: Annotated[str | None, Field(description="id of the network; null where not recorded")]
    preprocessing: Annotated[str | None, Field(description="id of how pictures are prepared; null where not recorded")]
    license: Annotated[str | None, Field(description="SPDX id of the licence of the weights; null where not recorded")]
    figures: Annotated[dict[str, Any], Field(description="its evaluation, as the model card tells it")]
    calibration_slope: float
    calibration_offset: float
    tumor_threshold: Annotated[float, Field(description="a slice is called Tumor from this probability on")]
    series_threshold: Annotated[float, Field(description="a series is called Tumor from this probability on")]
    brain_threshold: Annotated[float, Field(description="a slice is declined below this brain probability")]
    lesion_threshold: float
    active: Annotated[bool, Field(description="the one whose word the named queries offer")]
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesVerdict:
    """What one model says of one series; probability, verdict and peak are None where it declines."""

    series_id: int
    series_uid: str
    model: str
    active: bool
    tumor_probability: float | None
    tumor: bool | None
    declined: bool
    series_threshold: float
    slice_count: int
    accepted_count: int
    peak_pack_id: int | None
    peak_slice_index: int | None
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceVerdict:
    """What one model says of one slice."""

    pack_id: int
    volume: int
    plane: str
    slice_index: int
    tumor_probability: float
    brain_probability: float
    lesion_area_px: float
    """Expected area of the lesion in pixels of the slice."""
    tumor: bool
    declined: bool
    """It does not look like brain MR, so that `tumor` says nothing."""


def models(connection: Connection) -> list[Model]:
    """Registered models, the newest first."""
    return many(connection, Model, "model_list", {"limit": MODELS_MAX})


def of_series(connection: Connection, uid: str) -> list[SeriesVerdict]:
    """What every model says of one series, the active one first."""
    return many(connection, SeriesVerdict, "series_predictions", {"uid": uid, "limit": MODELS_MAX})


def of_slices(connection: Connection, uid: str, *, model: str, plane: str | None = None) -> list[SliceVerdict]:
    """What one model says of the slices of one series, by volume, plane and number."""
    values = {"uid": uid, "model": model, "plane": plane, "limit": SLICES_MAX}
    return many(connection, SliceVerdict, "slice_predictions", values)


def page(
    connection: Connection,
    *,
    model: str | None = None,
    at_least: float = 0.0,
    at_most: float = 1.0,
    after: int = -1,
    limit: int,
) -> list[SeriesVerdict]:
    """Series by falling probability under `model`, or the active one; those after the series with key `after`."""
    values = {"model": model, "at_least": at_least, "at_most": at_most, "after": after, "limit": limit}
    return many(connection, SeriesVerdict, "prediction_page", values)
