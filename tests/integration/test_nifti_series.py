"""A staged .nii.gz on its whole way: normalized, catalogued, scored, shown by the API and the page of the series."""

from __future__ import annotations

import gzip
import io
import secrets
from collections.abc import Iterator
from typing import Any

import nibabel
import numpy as np
import psycopg
import pytest
from flask.testing import FlaskClient
from PIL import Image

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.detector.model import weights
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.nifti.uid import derived_uid
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.normalization.volumes import write_volumes
from braingranary.storage.store import ObjectStore
from tests.browser import scored
from tests.fixtures.snapshots import snapshot_of
from tests.serving.serving_site import ServingSite
from tests.unit.normalization import phantom

pytestmark = pytest.mark.stack

nib: Any = nibabel  # its annotations are incomplete
UID = derived_uid("folder", "Phantoms", "P-001", "P-001/anat/t1.nii.gz")
SHAPE = (24, 64, 64)


def head_in_nifti(times: int = 1) -> bytes:
    """The phantom head as converters write it: axes right, anterior, superior; slices are the last one, then time."""
    affine = phantom.grid_affine(phantom.AXIAL, SHAPE, (7.0, 3.0, 3.0))
    voxels = phantom.sampled(affine, SHAPE)
    placed = affine.copy()
    placed[:3, :3] = affine[:3, [2, 1, 0]]
    one = np.ascontiguousarray(voxels.transpose(2, 1, 0))
    image = nib.Nifti1Image(one if times == 1 else np.stack([one] * times, axis=3), placed)
    return gzip.compress(image.to_bytes(), mtime=0)


@pytest.fixture(scope="module")
def site(
    postgres_server: PostgresServer, object_server: ObjectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServingSite]:
    """A catalogue that holds one series, which came as NIfTI, and a model's word on it."""
    database = Database(name=f"nifti_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    dsn = postgres_server.dsn(database)
    settings = object_server.settings(bucket=f"nifti-{secrets.token_hex(8)}")
    store = ObjectStore.from_settings(settings)
    store.ensure_bucket()
    raw_key = phantom.stage(store, UID, head_in_nifti(), media_type="application/gzip")
    assert raw_key.endswith(".nii.gz")
    publish(store, "run", DEFAULT_PROFILE, [normalize_batch(store, [raw_key], DEFAULT_PROFILE, "run")])
    write_volumes(store, raw_key, DEFAULT_PROFILE.name)
    migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        report = load_run(connection, store, "run")
        assert (report.series, report.slices, report.rejects) == (1, SHAPE[0], 0)
    site = ServingSite(dsn=dsn, store=store, store_settings=settings, jpegs={})
    folder = tmp_path_factory.mktemp("weights")
    weights.ship(scored.made(), folder)
    scored.score(site, folder)
    yield site
    postgres_server.drop_database(database)


@pytest.fixture
def client(site: ServingSite) -> Iterator[FlaskClient]:
    app = site.app()
    with app.test_client() as client:
        yield client
    app.extensions["granary"].close()


def test_series_of_a_nifti_is_told_by_the_api(client: FlaskClient) -> None:
    told = client.get(f"/api/v1/series/{UID}").get_json()
    assert (told["series_uid"], told["plane"], told["slice_count"]) == (UID, "axial", SHAPE[0])
    lineage = client.get(f"/api/v1/series/{UID}/lineage").get_json()
    assert lineage["normalization"]["transfer_syntax"] is None
    assert client.get(f"/api/v1/series/{UID}/sidecar").get_json()["transfer_syntax"] is None


def test_slices_of_a_nifti_show_the_head(client: FlaskClient) -> None:
    slices = client.get(f"/api/v1/series/{UID}/slices?plane=axial").get_json()["slices"]
    assert len(slices) == SHAPE[0]
    picture = Image.open(io.BytesIO(client.get(f"/api/v1/slices/{slices[12]['id']}.jpg").data))
    assert picture.size == (SHAPE[2], SHAPE[1])
    assert np.asarray(picture).std() > 20


def test_slices_of_a_nifti_are_scored(site: ServingSite) -> None:
    with psycopg.connect(site.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM slice_prediction").fetchone() == (SHAPE[0],)
        assert connection.execute("SELECT count(*) FROM series_prediction").fetchone() == (1,)


def test_volume_of_a_nifti_is_given_back_as_nifti(client: FlaskClient) -> None:
    answer = client.get(f"/api/v1/series/{UID}/volume.nii.gz")
    given = nib.Nifti1Image.from_bytes(gzip.decompress(answer.data))
    sent = nib.as_closest_canonical(nib.Nifti1Image.from_bytes(gzip.decompress(head_in_nifti())))
    assert np.array_equal(given.get_fdata(), sent.get_fdata())
    assert np.allclose(given.affine, sent.affine)


def test_page_of_a_nifti_series_is_shown(client: FlaskClient) -> None:
    page = client.get(f"/series/{UID}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert UID in page.text


def test_series_of_many_volumes_counts_as_one_head(postgres_dsn: str, object_store: ObjectStore) -> None:
    raw_key = phantom.stage(object_store, UID, head_in_nifti(times=3), media_type="application/gzip")
    publish(object_store, "run", DEFAULT_PROFILE, [normalize_batch(object_store, [raw_key], DEFAULT_PROFILE, "run")])
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        assert load_run(connection, object_store, "run").slices == 3 * SHAPE[0]  # every volume has its acquired plane
        snapshot = snapshot_of(connection)
    assert (snapshot.totals.series_count, snapshot.totals.slice_count) == (1, SHAPE[0])
    (found,) = snapshot.select(SeriesFilter()).rows([0])
    assert found["slice_count"] == SHAPE[0]
