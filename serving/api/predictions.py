"""What the detector says: `/api/v1/models`, `/api/v1/predictions` and `/api/v1/series/<uid>/predictions`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.read import lineage, predictions
from braingranary.errors import Code, RejectedInput
from serving.api.pictures.slices import slice_url
from serving.api.schemas import Answer, NoParameters, PageParameters, Parameters, Plane, SeriesPath, Single
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import after_of, answer, page_of

TAG = Tag(name="predictions", description="What the tumour detector says, by model version. Research only.")
api = APIBlueprint("predictions", __name__, url_prefix="/api/v1", abp_tags=[TAG])
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


class ModelList(BaseModel):
    """Registered models, the newest first."""

    models: list[predictions.Model]


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


@api.get("/models", summary="Models", responses={"200": ModelList})
@access(Access.PUBLIC)
def list_models(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Registered versions of the detector with their hashes, thresholds and figures, the newest first."""
    with services().catalog() as connection:
        found = predictions.models(connection)
    return answer(ModelList(models=found))


@api.get("/predictions", summary="Series by what a model says", responses={"200": PredictionPage})
@access(Access.PUBLIC)
def list_predictions(query: PredictionsParameters) -> Response:
    """Series by falling tumour probability; what the model declined is not among them."""
    with services().catalog() as connection:
        found = predictions.page(
            connection,
            model=query.model,
            at_least=query.min_probability,
            at_most=query.max_probability,
            after=after_of(query.cursor),
            limit=query.limit + 1,
        )
    page, more = page_of(found, query.limit, lambda item: item.series_id)
    return answer(PredictionPage(predictions=[_shown(item) for item in page], next=more))


@api.get(
    "/series/<uid>/predictions",
    summary="Scores of a series and its slices",
    responses={"200": SeriesPredictions},
)
@access(Access.PUBLIC)
def series_predictions(path: SeriesPath, query: SeriesPredictionsParameters) -> Response:
    """The series by every model, and its slices by one: the strip of scores along them."""
    with services().catalog() as connection:
        found = predictions.of_series(connection, path.uid)
        if not found and lineage.lineage_of_series(connection, path.uid) is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such series")
        model = query.model or (found[0].model if found else None)
        slices = [] if model is None else predictions.of_slices(connection, path.uid, model=model, plane=query.plane)
    told = SeriesPredictions(
        predictions=[_shown(item) for item in found], model=model, slices=[_shown_slice(item) for item in slices]
    )
    return answer(told)


def _shown(item: predictions.SeriesVerdict) -> SeriesPrediction:
    peak = None if item.peak_pack_id is None else slice_url(f"{item.peak_pack_id}-{item.peak_slice_index}")
    address = url_for("predictions.series_predictions", uid=item.series_uid)
    return SeriesPrediction.of(item, peak_url=peak, url=address)


def _shown_slice(item: predictions.SliceVerdict) -> SlicePrediction:
    slice_id = f"{item.pack_id}-{item.slice_index}"
    return SlicePrediction.of(item, id=slice_id, url=slice_url(slice_id))
