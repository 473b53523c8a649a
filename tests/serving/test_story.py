"""What is told about a series and about the pipeline: lineage, sidecar, scores, named queries, runs and rejects."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from flask.testing import FlaskClient
from pydantic import TypeAdapter

from braingranary.catalog.schema.row_keys import pack_id, series_id
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.sidecar import Sidecar, SidecarPack, SidecarVolume
from braingranary.records import Plane, Receipt
from braingranary.storage import keys
from tests.serving.serving_site import SLICES, ServingSite
from tests.unit.catalog import synthetic
from tests.unit.normalization.phantom import receipt_of

pytestmark = pytest.mark.stack
UID = synthetic.uid(4)
IDENTITY = tuple(tuple(float(row == column) for column in range(4)) for row in range(4))


@pytest.fixture(scope="module")
def told(site: ServingSite) -> Receipt:
    """Receipt and sidecar of series 6, as ingest and normalization leave them."""
    row = synthetic.series_row(6)
    receipt = receipt_of(row["series_uid"], b"zip", collection=row["collection"])
    assert receipt.raw_key == row["raw_key"]
    site.store.put(keys.receipt(receipt.raw_key), TypeAdapter(Receipt).dump_json(receipt))
    pack = SidecarPack(
        name="000-axial.zip", plane=Plane.AXIAL, acquired=True, sha256="0" * 64, bytes=9, slices=6, height=96,
        width=80, affine=IDENTITY,
    )  # fmt: skip
    volume = SidecarVolume(
        volume=0, plane=Plane.AXIAL, obliquity_deg=1.25, shape=(6, 96, 80), dtype="uint16", affine=IDENTITY,
        rescale_slope=1.0, rescale_intercept=0.0, inverted=False, window_low=3.25, window_high=1034.5,
        window_bin_width=1.0, gaps=0, uneven=False, duplicates=0, sheared=False, image_kind=None, echo_time_ms=2.98,
        inversion_time_ms=None, b_value=None, b_direction=None, temporal_position=None, packs=(pack,),
    )  # fmt: skip
    sidecar = Sidecar(
        schema=1, series_uid=row["series_uid"], study_uid=row["study_uid"], archive="tcia",
        collection=row["collection"], raw_key=receipt.raw_key, raw_sha256=receipt.sha256,
        transfer_syntax=row["transfer_syntax"], profile=DEFAULT_PROFILE.name, profile_values=DEFAULT_PROFILE.values(),
        libraries={"numpy": "2.0"}, volumes=(volume,),
    )  # fmt: skip
    site.store.put(row["sidecar_key"], sidecar.to_json())
    return receipt


@pytest.fixture
def scored(site: ServingSite) -> Iterator[None]:
    """An active model that spoke of series 0 to 2, loudest of 1, and declined 3."""
    with psycopg.connect(site.dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO model (model_id, version, sha256, weights_key, data_sha256, trained_on, calibration_slope, "
            "calibration_offset, tumor_threshold, series_threshold, brain_threshold, lesion_threshold, active, "
            "architecture, preprocessing, license) VALUES (7, 'told-1', repeat('a', 64), 'k', repeat('b', 64), "
            "'phantoms', 1, 0, 0.5, 0.6, 0.5, 0.5, true, 'net-1', 'box-1', 'CC-BY-NC-SA-4.0')"
        )
        for number, probability in enumerate((0.2, 0.9, 0.6, None)):
            pack = pack_id(synthetic.uid(number), 0, "axial")
            silent = probability is None
            connection.execute(
                "INSERT INTO series_prediction (series_id, peak_pack_id, published_at, model_id, peak_slice_index, "
                "tumor_logit, tumor_probability, slice_count, accepted_count, declined, input_sha256) "
                "VALUES (%s, %s, now(), 7, %s, %s, %s, 6, 6, %s, repeat('c', 64))",
                [series_id(synthetic.uid(number)), *([None] * 3 if silent else [pack, 3, 0.0]), probability, silent],
            )
            for index in range(0 if silent else SLICES):
                connection.execute(
                    "INSERT INTO slice_prediction (pack_id, model_id, slice_index, tumor_logit, tumor_probability, "
                    "brain_probability, lesion_area_px) VALUES (%s, 7, %s, 0, %s, %s, 12.5)",
                    [pack, index, 0.9 if index == 3 else 0.1, 0.1 if index == 0 else 0.99],
                )
        yield
        connection.execute("DELETE FROM slice_prediction WHERE model_id = 7")
        connection.execute("DELETE FROM series_prediction WHERE model_id = 7")
        connection.execute("DELETE FROM model WHERE model_id = 7")


def test_lineage_goes_from_the_archive_to_the_packs(client: FlaskClient, site: ServingSite, told: Receipt) -> None:
    answer = client.get(f"/api/v1/series/{synthetic.uid(6)}/lineage")
    body = answer.get_json()
    assert (body["source"]["archive"], body["source"]["license_name"]) == ("tcia", "CC BY 4.0")
    assert (body["raw"]["sha256"], body["raw"]["zip_bytes"]) == (told.sha256, 3)
    assert body["raw"]["staged_at"] == "2024-05-06T07:08:09Z"
    assert body["normalization"]["profile_values"] == DEFAULT_PROFILE.values()
    assert body["normalization"]["libraries"] == {"numpy": "2.0"}
    assert body["catalogue"]["run"] == "filled"
    assert [(pack["plane"], pack["slice_count"]) for pack in body["packs"]] == [
        ("axial", SLICES), ("coronal", SLICES), ("sagittal", SLICES),
    ]  # fmt: skip
    # Neither a place in the store nor whom the series shows.
    assert "raw/" not in answer.text
    assert "normalized/" not in answer.text
    assert "P-1" not in answer.text


def test_sidecar_tells_the_grid_and_no_key(client: FlaskClient, told: Receipt) -> None:
    answer = client.get(client.get(f"/api/v1/series/{synthetic.uid(6)}/lineage").get_json()["sidecar_url"])
    body = answer.get_json()
    assert body["volumes"][0]["shape"] == [6, 96, 80]
    assert body["volumes"][0]["packs"][0]["affine"] == [list(row) for row in IDENTITY]
    assert "raw_key" not in body
    again = client.get(f"/api/v1/series/{synthetic.uid(6)}/sidecar", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_lineage_without_receipt_and_sidecar_tells_what_the_catalogue_knows(client: FlaskClient) -> None:
    body = client.get(f"/api/v1/series/{UID}/lineage").get_json()
    assert (body["raw"]["sha256"], body["raw"]["zip_bytes"]) == (synthetic.SHA, None)
    assert body["normalization"]["libraries"] is None
    assert client.get(f"/api/v1/series/{UID}/sidecar").status_code == 404


@pytest.mark.parametrize("leaf", ["lineage", "sidecar", "predictions"])
def test_story_of_what_is_not_there_is_a_problem(client: FlaskClient, leaf: str) -> None:
    answer = client.get(f"/api/v1/series/9.9.9/{leaf}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


@pytest.mark.usefixtures("scored")
def test_predictions_of_a_series_are_raw_with_the_verdict_beside(client: FlaskClient) -> None:
    body = client.get(f"/api/v1/series/{synthetic.uid(1)}/predictions").get_json()
    (whole,) = body["predictions"]
    assert (whole["model"], whole["tumor"], whole["series_threshold"]) == ("told-1", True, 0.6)
    assert whole["tumor_probability"] == pytest.approx(0.9)
    assert client.get(whole["peak_url"]).content_type == "image/jpeg"
    strip = body["slices"]
    assert [item["tumor"] for item in strip] == [False, False, False, True, False, False]
    assert [item["declined"] for item in strip] == [True, False, False, False, False, False]
    assert client.get(f"/api/v1/series/{synthetic.uid(1)}/predictions?plane=coronal").get_json()["slices"] == []
    other = client.get(f"/api/v1/series/{synthetic.uid(1)}/predictions?model=other-1").get_json()
    assert (other["model"], other["slices"]) == ("other-1", [])


@pytest.mark.usefixtures("scored")
def test_prediction_that_was_declined_says_nothing(client: FlaskClient) -> None:
    (whole,) = client.get(f"/api/v1/series/{synthetic.uid(3)}/predictions").get_json()["predictions"]
    assert (whole["declined"], whole["tumor"], whole["tumor_probability"], whole["peak_url"]) == (
        True,
        None,
        None,
        None,
    )


@pytest.mark.usefixtures("scored")
def test_predictions_paged_fall_and_keep_to_their_bounds(client: FlaskClient) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"/api/v1/predictions?limit=1{cursor and '&cursor=' + cursor}").get_json()
        seen += [item["series_uid"] for item in page["predictions"]]
        cursor = page["next"]
    assert seen == [synthetic.uid(1), synthetic.uid(2), synthetic.uid(0)]
    bounded = client.get("/api/v1/predictions?min_probability=0.5&max_probability=0.7").get_json()["predictions"]
    assert [item["series_uid"] for item in bounded] == [synthetic.uid(2)]
    assert client.get("/api/v1/predictions?model=other-1").get_json()["predictions"] == []


@pytest.mark.usefixtures("scored")
def test_models_tell_hash_ids_and_licence_and_no_key(client: FlaskClient) -> None:
    answer = client.get("/api/v1/models")
    (model,) = answer.get_json()["models"]
    assert (model["version"], model["active"], model["sha256"]) == ("told-1", True, "a" * 64)
    assert (model["architecture"], model["preprocessing"], model["license"]) == ("net-1", "box-1", "CC-BY-NC-SA-4.0")
    assert "weights_key" not in answer.text


def test_series_that_nobody_scored_has_no_prediction(client: FlaskClient) -> None:
    body = client.get(f"/api/v1/series/{UID}/predictions").get_json()
    assert body == {"predictions": [], "model": None, "slices": []}


def test_named_queries_lead_to_their_zips(client: FlaskClient) -> None:
    found = client.get("/api/v1/queries").get_json()["queries"]
    assert [item["name"] for item in found][:2] == ["withtumor_ax", "withtumor_cor"]
    assert len(found) == 6
    assert client.get("/api/v1/queries/notumor_ax").get_json() == next(i for i in found if i["name"] == "notumor_ax")
    assert client.head(found[0]["url"]).content_type == "application/zip"


def test_runs_tell_what_was_loaded_and_how_fresh_it_is(client: FlaskClient) -> None:
    body = client.get("/api/v1/runs").get_json()
    (run,) = body["runs"]
    assert (run["step"], run["run"], run["series_count"], run["reject_count"]) == ("normalize", "filled", 7, 1)
    assert body["fresh"] == {"ingest": None, "normalize": run["published_at"], "score": None}


def test_rejects_are_counted_by_reason_and_name_nobody(client: FlaskClient) -> None:
    answer = client.get("/api/v1/rejects")
    (reason,) = answer.get_json()["rejects"]
    assert (reason["code"], reason["step"], reason["series_count"], reason["lost_count"]) == (
        "localizer",
        "normalize",
        1,
        1,
    )
    assert "1.2.3" not in answer.text


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("/api/v1/predictions?min_probability=1.5", "min_probability"),
        ("/api/v1/predictions?max_probability=nan", "max_probability"),
        ("/api/v1/predictions?model=../x", "model"),
        (f"/api/v1/series/{UID}/predictions?plane=oblique", "plane"),
        ("/api/v1/queries/everything", "query"),
        ("/api/v1/runs?limit=0", "limit"),
        ("/api/v1/rejects?code=localizer", "code"),
        (f"/api/v1/series/{UID}/lineage?deep=1", "deep"),
        ("/api/v1/models?limit=3", "limit"),
    ],
)
def test_parameters_that_are_wrong_are_named(client: FlaskClient, address: str, named: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.get_json()["errors"][0]["name"]) == (400, named)
