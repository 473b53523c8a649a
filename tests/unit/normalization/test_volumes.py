"""NIfTI on request: voxels as acquired, beside the packs, the same bytes again; and the command that asks for it."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import psycopg
import pytest
from click.testing import CliRunner

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.cli.main import main
from braingranary.errors import Code, RejectedInput
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.normalization.volumes import write_volumes
from braingranary.settings import StoreSettings
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.unit.normalization import phantom

pytestmark = pytest.mark.stack
UID = f"{phantom.ROOT}.1"
SHAPE = (6, 32, 24)


def staged(store: ObjectStore) -> str:
    files = phantom.dicom_files(UID, shape=SHAPE, spacing_mm=(24.0, 6.0, 6.0))
    return phantom.stage(store, UID, phantom.zipped(files))


def test_write_volumes_gives_the_acquired_voxels_in_ras(object_store: ObjectStore) -> None:
    (key,) = write_volumes(object_store, staged(object_store), "v1")
    assert key == keys.nifti("v1", UID, 0)
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(object_store.get(key)))
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")  # type: ignore[no-untyped-call]
    assert image.shape == SHAPE[::-1]
    affine = phantom.grid_affine(phantom.AXIAL, SHAPE, (24.0, 6.0, 6.0))
    voxels = phantom.sampled(affine, SHAPE)
    assert np.array_equal(np.asarray(image.dataobj)[::-1, ::-1].transpose(2, 1, 0), voxels)


def test_write_volumes_again_changes_no_byte(object_store: ObjectStore) -> None:
    raw_key = staged(object_store)
    write_volumes(object_store, raw_key, "v1")
    before = phantom.listing(object_store, "")
    write_volumes(object_store, raw_key, "v1")
    assert phantom.listing(object_store, "") == before


def test_write_volumes_of_another_zip_writes_nothing(object_store: ObjectStore) -> None:
    raw_key = staged(object_store)
    object_store.put(raw_key, b"another")
    with pytest.raises(RejectedInput) as caught:
        write_volumes(object_store, raw_key, "v1")
    assert caught.value.code is Code.CHECKSUM_MISMATCH
    assert not list(object_store.list("normalized/"))


def test_command_volume_makes_what_the_front_door_serves(
    object_store: ObjectStore, s3_settings: StoreSettings, postgres_dsn: str
) -> None:
    part = normalize_batch(object_store, [staged(object_store)], DEFAULT_PROFILE, "run")
    publish(object_store, "run", DEFAULT_PROFILE, [part])
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        load_run(connection, object_store, "run")
    assert s3_settings.secret_key is not None
    environment = {
        "GRANARY_CATALOG_DSN": postgres_dsn,
        "GRANARY_S3_BUCKET": s3_settings.bucket,
        "GRANARY_S3_ENDPOINT_URL": s3_settings.endpoint_url,
        "GRANARY_S3_ACCESS_KEY": s3_settings.access_key,
        "GRANARY_S3_SECRET_KEY": s3_settings.secret_key.get_secret_value(),
    }
    done = CliRunner().invoke(main, ["volume", UID], env=environment)
    assert (done.exit_code, done.output.strip()) == (0, keys.nifti("v1", UID, 0))
    assert object_store.exists(keys.nifti("v1", UID, 0))
    unknown = CliRunner().invoke(main, ["volume", "9.9.9"], env=environment)
    assert (unknown.exit_code, "no such series" in unknown.output) == (1, True)
