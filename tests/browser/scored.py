"""A model's word on a filled catalogue: what the nightly scoring run does, by calling the library.

`shipped_or_made` is the model that comes with the library, or where none does a tiny one that calls every slice a
tumour and outlines all of it: it shows that outlines arrive, not that they are right.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import torch

from braingranary.catalog import model_registry as models
from braingranary.catalog.load.score_run import load_scores
from braingranary.catalog.load.transaction import raise_catalogue_state
from braingranary.catalog.read import unscored as predictions
from braingranary.detector.contracts.model_metadata import SHIPPED, Calibration, shipped_file
from braingranary.detector.contracts.score_run import ModelPin, PackToScore, ScoreJob, SeriesToScore, publish
from braingranary.detector.inference.batch import score_batch
from braingranary.detector.inference.score import Scorer
from braingranary.detector.model import weights
from braingranary.detector.model.encoder_decoder.network import TumorNet
from braingranary.errors import RejectedInput
from braingranary.storage.location import StoreLocation
from tests.fixtures.tiny_detector import WIDTHS, metadata
from tests.serving.serving_site import ServingSite

RUN = "scored"
PUT_SCORES = """
INSERT INTO slice_prediction (
    pack_id, model_id, slice_index, tumor_logit, tumor_probability, brain_probability, lesion_area_px
)
SELECT
    s.pack_id, %(model)s, s.slice_index, 0,
    0.05 + 0.9 * (c.name = 'Sample-Lesion')::int
    * exp(-1 * power((1.0 * s.slice_index / p.slice_count - 0.66) / 0.14, 2)),
    CASE WHEN s.slice_index < 2 THEN 0.0 ELSE 0.99 END, 0
FROM slice AS s
INNER JOIN pack AS p ON s.pack_id = p.pack_id
INNER JOIN series AS r ON p.series_id = r.series_id
INNER JOIN collection AS c ON r.collection_id = c.collection_id;
INSERT INTO series_prediction (
    series_id, model_id, published_at, peak_pack_id, peak_slice_index, tumor_logit, tumor_probability, slice_count,
    accepted_count, declined, input_sha256
)
SELECT DISTINCT ON (p.series_id)
    p.series_id, %(model)s, r.published_at, p.pack_id, q.slice_index, 0, q.tumor_probability, p.slice_count,
    p.slice_count - 2, false, repeat('0', 64)
FROM pack AS p
INNER JOIN series AS r ON p.series_id = r.series_id
INNER JOIN slice_prediction AS q ON p.pack_id = q.pack_id
WHERE p.acquired
ORDER BY p.series_id ASC, q.tumor_probability DESC
"""
SERIES_MAX = 100


def made() -> weights.Model:
    """A tiny model without knowledge, whose thresholds let everything through."""
    torch.manual_seed(3)
    calibration = Calibration(tumor_threshold=0.0, series_threshold=0.0, brain_threshold=1e-6, lesion_threshold=0.0)
    return weights.assemble(TumorNet(WIDTHS), metadata("tiny-1", calibration, data_sha256="0" * 64))


def shipped_or_made(folder: Path) -> Path:
    """Folder of the weights to answer with."""
    try:
        weights.load_shipped()
    except RejectedInput:
        weights.ship(made(), folder)
        return folder
    return SHIPPED


def put_scores(site: ServingSite, model: weights.Model) -> None:
    """Register `model` and write scores in its name: a hill of probability where the sample's lesions are.

    To score hundreds of slices takes longer than all that the browser is asked; what is shown is the same.
    """
    with psycopg.connect(site.dsn, autocommit=True) as connection:
        standing = models.register(connection, _record(model))
        with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
            cursor.execute(PUT_SCORES, {"model": standing.model_id})
        raise_catalogue_state(connection)


def score(site: ServingSite, folder: Path) -> None:
    """Register the model in `folder` and score everything in the catalogue by it."""
    data, sha256 = shipped_file(folder)
    model = weights.unpack(data, sha256)
    record = _record(model)
    pin = ModelPin(version=record.version, sha256=record.sha256, weights_key=record.weights_key)
    settings = site.store_settings
    place = StoreLocation(bucket=settings.bucket, endpoint_url=settings.endpoint_url, region=settings.region)
    with psycopg.connect(site.dsn, autocommit=True) as connection:
        standing = models.register(connection, record)
        waiting = [
            SeriesToScore(
                series_id=one.series_id,
                series_uid=one.series_uid,
                archive=one.archive,
                collection=one.collection,
                input_sha256=one.input_sha256,
                packs=tuple(
                    PackToScore(
                        pack_id=pack.pack_id,
                        object_key=pack.object_key,
                        sha256=pack.sha256,
                        pack_bytes=pack.pack_bytes,
                        acquired=pack.acquired,
                    )
                    for pack in one.packs
                ),
            )
            for one in predictions.unscored(connection, standing, limit=SERIES_MAX)
        ]
        job = ScoreJob(run=RUN, store=place, model=pin, series=tuple(waiting))
        site.store.put(pin.weights_key, data)
        publish(site.store, job, [score_batch(site.store, waiting, pin, RUN, Scorer(model))])
        load_scores(connection, site.store, RUN)


def _record(model: weights.Model) -> models.ModelRecord:
    calibration = model.metadata.calibration
    return models.ModelRecord(
        version=model.metadata.version,
        sha256=model.sha256,
        weights_key=f"models/{model.metadata.version}/{model.sha256}.safetensors",
        data_sha256=model.metadata.data_sha256,
        trained_on=model.metadata.trained_on,
        architecture=model.metadata.architecture,
        preprocessing=model.metadata.preprocessing,
        license=model.metadata.license,
        calibration_slope=calibration.slope,
        calibration_offset=calibration.offset,
        tumor_threshold=calibration.tumor_threshold,
        series_threshold=calibration.series_threshold,
        brain_threshold=calibration.brain_threshold,
        lesion_threshold=calibration.lesion_threshold,
    )
