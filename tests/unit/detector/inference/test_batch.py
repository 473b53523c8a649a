"""One batch of packs to rows: which packs speak, what is kept of an answer, what happens to a pack that is wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from braingranary.detector.contracts.score_run import (
    ModelPin,
    ScoredPart,
    ScoredRun,
    ScoreJob,
    part_name,
    publish,
    read_published,
    write_run_json,
)
from braingranary.detector.inference import batch
from braingranary.detector.inference.batch import open_scorer, score_batch
from braingranary.detector.inference.score import Scorer, SliceScore, score_series
from braingranary.detector.model.weights import unpack
from braingranary.errors import Code, ConfigurationError, RejectedInput
from braingranary.imaging import jpeg
from braingranary.records import Plane
from braingranary.settings import StoreSettings
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore
from tests.fixtures import score_set
from tests.fixtures.stored_packs import SLICES, stored, table

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def weights() -> tuple[bytes, str]:
    return score_set.weights()


@pytest.fixture(scope="module")
def scorer(weights: tuple[bytes, str]) -> Scorer:
    return Scorer(unpack(*weights))


@pytest.fixture
def model(object_store: ObjectStore, weights: tuple[bytes, str]) -> ModelPin:
    data, sha256 = weights
    key = keys.weights("tiny-1", sha256)
    object_store.put(key, data)
    return ModelPin(version="tiny-1", sha256=sha256, weights_key=key)


def answers(scorer: Scorer, number: int, plane: Plane) -> list[SliceScore]:
    """What the scorer says of the pictures as they come back from JPEG."""
    return scorer.score([jpeg.decode(jpeg.encode(picture)) for picture in score_set.pictures(number, plane, SLICES)])


def test_rows_are_the_answers_of_every_slice_and_the_acquired_plane_decides(
    object_store: ObjectStore, scorer: Scorer, model: ModelPin
) -> None:
    series = stored(object_store, 1, Plane.CORONAL, Plane.AXIAL)
    reformat_first = replace(series, packs=series.packs[::-1])
    part = score_batch(object_store, [reformat_first], model, "r", scorer)

    assert part.rows == {"series": 1, "slices": 2 * SLICES, "rejects": 0}
    wanted = {
        pack.pack_id: answers(scorer, 1, plane)
        for pack, plane in zip(series.packs, (Plane.CORONAL, Plane.AXIAL), strict=True)
    }
    for row in table(object_store, part, "slices"):
        answer = wanted[row["pack_id"]][row["slice_index"]]
        assert row["tumor_logit"] == pytest.approx(answer.tumor_logit, abs=1e-5)
        assert row["tumor_probability"] == pytest.approx(answer.tumor_probability, abs=1e-5)
        assert row["brain_probability"] == pytest.approx(answer.brain_probability, abs=1e-5)
        cell = (answer.frame.side / answer.lesion_plane.shape[0]) ** 2
        assert row["lesion_area_px"] == pytest.approx(float(answer.lesion_plane.sum()) * cell, rel=1e-3)
    (verdict,) = table(object_store, part, "series")
    acquired = wanted[series.packs[0].pack_id]
    expected = score_series(acquired, scorer.model)
    assert verdict["tumor_probability"] == pytest.approx(expected.tumor_probability, abs=1e-5)
    assert verdict["tumor_probability"] != pytest.approx(
        score_series(wanted[series.packs[1].pack_id], scorer.model).tumor_probability, abs=1e-3
    )
    assert (verdict["peak_pack_id"], verdict["peak_slice_index"]) == (series.packs[0].pack_id, expected.peak)
    assert (verdict["slice_count"], verdict["accepted_count"], verdict["declined"]) == (SLICES, SLICES, False)


def test_declined_series_says_so_and_nothing_else(object_store: ObjectStore, weights: tuple[bytes, str]) -> None:
    strict_data, strict_sha256 = score_set.weights("strict", brain_threshold=1.1)
    pin = ModelPin(version="strict", sha256=strict_sha256, weights_key="models/strict")
    part = score_batch(
        object_store, [stored(object_store, 2, Plane.AXIAL)], pin, "r", Scorer(unpack(strict_data, strict_sha256))
    )
    (row,) = table(object_store, part, "series")
    assert row["declined"]
    assert row["accepted_count"] == 0
    assert {row[name] for name in ("tumor_logit", "tumor_probability", "peak_pack_id", "peak_slice_index")} == {None}
    assert part.rows["slices"] == SLICES


def test_pack_that_is_missing_swapped_or_no_pack_is_a_reject_with_a_note(
    object_store: ObjectStore, scorer: Scorer, model: ModelPin
) -> None:
    good, missing, swapped, garbage, reformat_only = (stored(object_store, n, Plane.AXIAL) for n in range(3, 8))
    object_store.delete_many([missing.packs[0].object_key])
    object_store.put(swapped.packs[0].object_key, object_store.get(good.packs[0].object_key))
    noise = b"no zip at all"
    object_store.put(garbage.packs[0].object_key, noise)
    garbage = replace(garbage, packs=(replace(garbage.packs[0], sha256=hashlib.sha256(noise).hexdigest()),))
    reformat_only = replace(reformat_only, packs=(replace(reformat_only.packs[0], acquired=False),))

    part = score_batch(object_store, [good, missing, swapped, garbage, reformat_only], model, "r", scorer)

    assert part.rows == {"series": 1, "slices": SLICES, "rejects": 4}
    rejects = {row["series_uid"]: row for row in table(object_store, part, "rejects")}
    assert {uid: row["code"] for uid, row in rejects.items()} == {
        missing.series_uid: "object_missing",
        swapped.series_uid: "checksum_mismatch",
        garbage.series_uid: "zip_invalid",
        reformat_only.series_uid: "manifest_invalid",
    }
    assert all(row["step"] == "score" and not row["fatal"] for row in rejects.values())
    notes = [json.loads(object_store.get(info.key)) for info in object_store.list("quarantine/")]
    assert {note["series_uid"] for note in notes} == set(rejects)
    assert all(note["model"] == "tiny-1" for note in notes)


def test_finished_batch_is_not_done_again(
    object_store: ObjectStore, scorer: Scorer, model: ModelPin, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = [stored(object_store, n, Plane.AXIAL) for n in (8, 9)]
    first = score_batch(object_store, series, model, "r", scorer)
    before = {info.key: info.etag for info in object_store.list("")}

    def fail(*_: object) -> Iterator[Any]:
        raise AssertionError("scored again")

    monkeypatch.setattr(batch, "_arriving", fail)
    assert score_batch(object_store, series[::-1], model, "r", scorer) == first
    assert {info.key: info.etag for info in object_store.list("")} == before


def test_part_name_follows_model_and_packs_not_their_order(model: ModelPin, object_store: ObjectStore) -> None:
    one, two = (stored(object_store, n, Plane.AXIAL, slices=1) for n in (1, 2))
    assert part_name([one, two], model) == part_name([two, one], model)
    assert part_name([one], model) != part_name([one, two], model)
    assert part_name([one], model) != part_name([one], replace(model, sha256="0" * 64))
    assert part_name([one], model) != part_name([replace(one, input_sha256="1" * 64)], model)


def test_open_scorer_swapped_weights_are_refused(
    object_store: ObjectStore, s3_settings: StoreSettings, model: ModelPin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s3_settings.access_key is not None
    assert s3_settings.secret_key is not None
    monkeypatch.setenv("GRANARY_S3_ACCESS_KEY", s3_settings.access_key)
    monkeypatch.setenv("GRANARY_S3_SECRET_KEY", s3_settings.secret_key.get_secret_value())
    place = StoreLocation.of(s3_settings)
    with pytest.raises(RejectedInput) as caught:
        open_scorer(place, replace(model, version="another"))
    assert caught.value.code is Code.MODEL_INVALID
    other, _ = score_set.weights(seed=3)
    object_store.put(model.weights_key, other)
    with pytest.raises(RejectedInput) as caught:
        open_scorer(place, model)
    assert caught.value.code is Code.MODEL_INVALID


def test_job_and_run_come_back_from_json_and_the_first_copy_wins(object_store: ObjectStore, model: ModelPin) -> None:
    job = ScoreJob(
        run="r",
        store=StoreLocation(bucket="b", endpoint_url="http://127.0.0.1:1"),
        model=model,
        series=(stored(object_store, 1, Plane.AXIAL, slices=1),),
    )
    assert ScoreJob.from_json(job.to_json()) == job
    assert b"secret" not in job.to_json()
    key = write_run_json(object_store, job)
    write_run_json(object_store, replace(job, series=()))
    assert ScoreJob.from_json(object_store.get(key)) == job
    part = ScoredPart(part="p", tables={}, rows={"series": 1, "slices": 2, "rejects": 0})
    published = publish(object_store, job, [part])
    assert publish(object_store, job, []) == published == read_published(object_store, "r")
    assert published.rows == {"series": 1, "slices": 2, "rejects": 0}
    with pytest.raises(ConfigurationError):
        ScoreJob.from_json(b"{}")
    for kind in (ScoredRun, ScoredPart):
        with pytest.raises(RejectedInput):
            kind.from_json(b"[]")
