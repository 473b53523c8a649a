"""What the detector says: `/api/v1/models`, `/api/v1/predictions` and `/api/v1/series/<uid>/predictions`."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from braingranary.catalog.read import lineage
from braingranary.catalog.read import predictions as verdicts
from braingranary.errors import Code, RejectedInput
from serving.api import schemas_predictions
from serving.api.schemas import NoParameters, SeriesPath
from serving.api.schemas_predictions import PredictionsParameters, SeriesPredictionsParameters
from serving.api.slices import slice_url
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import after_of, answer, page_of

TAG = Tag(name="predictions", description="What the tumour detector says, by model version. Research only.")
api = APIBlueprint("predictions", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get("/models", summary="Models", responses={"200": schemas_predictions.ModelList})
@access(Access.PUBLIC)
def list_models(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Registered versions of the detector with their hashes, thresholds and figures, the newest first."""
    with services().catalog() as connection:
        found = verdicts.models(connection)
    shown = [schemas_predictions.Model.model_validate(asdict(item)) for item in found]
    return answer(schemas_predictions.ModelList(models=shown))


@api.get("/predictions", summary="Series by what a model says", responses={"200": schemas_predictions.PredictionPage})
@access(Access.PUBLIC)
def list_predictions(query: PredictionsParameters) -> Response:
    """Series by falling tumour probability; what the model declined is not among them."""
    with services().catalog() as connection:
        found = verdicts.page(
            connection,
            model=query.model,
            at_least=query.min_probability,
            at_most=query.max_probability,
            after=after_of(query.cursor),
            limit=query.limit + 1,
        )
    page, more = page_of(found, query.limit, lambda item: item.series_id)
    return answer(schemas_predictions.PredictionPage(predictions=[_shown(item) for item in page], next=more))


@api.get(
    "/series/<uid>/predictions",
    summary="Scores of a series and its slices",
    responses={"200": schemas_predictions.SeriesPredictions},
)
@access(Access.PUBLIC)
def series_predictions(path: SeriesPath, query: SeriesPredictionsParameters) -> Response:
    """The series by every model, and its slices by one: the strip of scores along them."""
    with services().catalog() as connection:
        found = verdicts.of_series(connection, path.uid)
        if not found and lineage.lineage_of_series(connection, path.uid) is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such series")
        model = query.model or (found[0].model if found else None)
        slices = [] if model is None else verdicts.of_slices(connection, path.uid, model=model, plane=query.plane)
    told = schemas_predictions.SeriesPredictions(
        predictions=[_shown(item) for item in found], model=model, slices=[_shown_slice(item) for item in slices]
    )
    return answer(told)


def _shown(item: verdicts.SeriesVerdict) -> schemas_predictions.SeriesPrediction:
    peak = None if item.peak_pack_id is None else slice_url(f"{item.peak_pack_id}-{item.peak_slice_index}")
    address = url_for("predictions.series_predictions", uid=item.series_uid)
    return schemas_predictions.SeriesPrediction.model_validate({**asdict(item), "peak_url": peak, "url": address})


def _shown_slice(item: verdicts.SliceVerdict) -> schemas_predictions.SlicePrediction:
    slice_id = f"{item.pack_id}-{item.slice_index}"
    return schemas_predictions.SlicePrediction.model_validate(
        {**asdict(item), "id": slice_id, "url": slice_url(slice_id)}
    )
