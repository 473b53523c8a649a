"""Pictures and volumes: renditions, contact sheets and NIfTI, whole and in parts, and made only for who needs them."""

from __future__ import annotations

import gzip
import io

import nibabel
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from braingranary.imaging.contact_sheet import evenly
from braingranary.imaging.rendition import fitted
from braingranary.imaging.volume import Volume
from braingranary.nifti.writer import to_nifti
from braingranary.storage import keys
from tests.serving.serving_site import SLICES, ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
UID = synthetic.uid(4)


@pytest.fixture
def slice_id(client: FlaskClient) -> str:
    found: str = client.get(f"/api/v1/series/{UID}/slices?plane=axial").get_json()["slices"][2]["id"]
    return found


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_rendition_without_a_size_is_the_packed_jpeg(client: FlaskClient, site: ServingSite, slice_id: str) -> None:
    plain, packed = client.get(f"/api/v1/slices/{slice_id}"), client.get(f"/api/v1/slices/{slice_id}.jpg")
    assert plain.data == packed.data == site.jpegs[UID, "axial"][2]
    assert plain.headers["ETag"] == packed.headers["ETag"]
    assert packed.headers["Cache-Control"] == "public, max-age=86400"


def test_rendition_as_png_has_the_packed_pixels(client: FlaskClient, site: ServingSite, slice_id: str) -> None:
    answer = client.get(f"/api/v1/slices/{slice_id}?format=png")
    assert answer.content_type == "image/png"
    packed = np.asarray(opened(site.jpegs[UID, "axial"][2]).convert("L"))
    assert np.array_equal(np.asarray(opened(answer.data)), packed)


@pytest.mark.parametrize("kind", ["jpeg", "png"])
@pytest.mark.parametrize("size", [16, 48, 200, 1024])
def test_rendition_at_a_size_has_that_longer_side(client: FlaskClient, slice_id: str, kind: str, size: int) -> None:
    answer = client.get(f"/api/v1/slices/{slice_id}?format={kind}&size={size}")
    picture = opened(answer.data)
    assert (picture.format, max(picture.size)) == (kind.upper(), size)
    assert picture.size[0] / picture.size[1] == pytest.approx(80 / 96, rel=0.05)
    again = client.get(
        f"/api/v1/slices/{slice_id}?format={kind}&size={size}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


def test_renditions_have_names_of_their_own(client: FlaskClient, slice_id: str) -> None:
    ways = ["", "?format=png", "?size=48", "?size=64", "?format=png&size=48"]
    assert len({client.get(f"/api/v1/slices/{slice_id}{way}").headers["ETag"] for way in ways}) == len(ways)


def test_fitted_pixels_that_are_tall_make_a_taller_picture() -> None:
    flat = np.zeros((50, 100), dtype=np.uint8)
    flat[:, 50:] = 200
    shown = fitted(flat, 60, pixel_aspect=4.0)
    assert shown.shape == (60, 30)
    assert shown[:, :13].max() < 20
    assert shown[:, 17:].min() > 180


@pytest.mark.parametrize(
    ("parameters", "named"),
    [("size=15", "size"), ("size=1025", "size"), ("size=1e9", "size"), ("format=gif", "format"), ("width=3", "width")],
)
def test_rendition_out_of_bounds_is_refused(client: FlaskClient, slice_id: str, parameters: str, named: str) -> None:
    answer = client.get(f"/api/v1/slices/{slice_id}?{parameters}")
    assert (answer.status_code, answer.get_json()["errors"][0]["name"]) == (400, named)


def test_contact_sheet_shows_evenly_chosen_slices_in_order(client: FlaskClient, site: ServingSite) -> None:
    answer = client.get(f"/api/v1/series/{UID}/sheet.jpg?tiles=4&size=96")
    assert answer.content_type == "image/jpeg"
    sheet = np.asarray(opened(answer.data))
    assert sheet.shape == (192, 192)
    chosen = evenly(SLICES, 4)
    assert (chosen[0], chosen[-1]) == (0, SLICES - 1)
    for place, index in enumerate(chosen):
        tile = sheet[place // 2 * 96 :, place % 2 * 96 :][:96, :96]
        packed = np.asarray(opened(site.jpegs[UID, "axial"][index]).convert("L"))
        assert int(tile[48, 48]) == pytest.approx(int(packed[48, 40]), abs=6)
    again = client.get(
        f"/api/v1/series/{UID}/sheet.jpg?tiles=4&size=96", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_contact_sheet_of_each_plane_differs(client: FlaskClient) -> None:
    planes = ["", "?plane=coronal", "?plane=sagittal"]
    sheets = [client.get(f"/api/v1/series/{UID}/sheet.jpg{plane}") for plane in planes]
    assert [sheet.status_code for sheet in sheets] == [200, 200, 200]
    assert len({sheet.data for sheet in sheets}) == 3


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{UID}/sheet.jpg?tiles=65", 400),
        (f"{UID}/sheet.jpg?tiles=0", 400),
        (f"{UID}/sheet.jpg?size=257", 400),
        (f"{UID}/sheet.jpg?volume=1", 404),
        ("9.9.9/sheet.jpg", 404),
        ("9.9.9/volume.nii.gz", 404),
        (f"{UID}/volume.nii.gz?volume=-1", 400),
    ],
)
def test_pictures_of_what_is_not_there_are_problems(client: FlaskClient, address: str, status: int) -> None:
    answer = client.get(f"/api/v1/series/{address}")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_volume_that_was_not_made_says_how_it_is(client: FlaskClient) -> None:
    body = client.get(f"/api/v1/series/{UID}/volume.nii.gz").get_json()
    assert (body["status"], body["code"]) == (404, "volume_not_made")
    assert "granary volume" in body["detail"]


@pytest.fixture
def nifti(site: ServingSite) -> bytes:
    """A volume of series 5 as NIfTI, in the store."""
    voxels = np.arange(4 * 30 * 20, dtype=np.int16).reshape(4, 30, 20)
    data = to_nifti(Volume(voxels=voxels, affine=np.diag([2.0, 1.0, 1.0, 1.0]), slope=1.0, intercept=0.0))
    site.store.put(keys.nifti(synthetic.PROFILE, synthetic.uid(5), 0), data)
    return data


def test_volume_is_streamed_whole_with_its_length(client: FlaskClient, nifti: bytes) -> None:
    answer = client.get(f"/api/v1/series/{synthetic.uid(5)}/volume.nii.gz")
    assert (answer.status_code, answer.data) == (200, nifti)
    assert int(answer.headers["Content-Length"]) == len(nifti)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.data)).shape == (4, 30, 20)
    head = client.head(f"/api/v1/series/{synthetic.uid(5)}/volume.nii.gz")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(nifti)))


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=0-99", 206, slice(100)),
        ("bytes=-5", 206, slice(-5, None)),
        ("lines=1-", 200, slice(None)),
    ],
)
def test_volume_in_parts_is_the_same_bytes(
    client: FlaskClient, nifti: bytes, asked: str, status: int, part: slice
) -> None:
    address = f"/api/v1/series/{synthetic.uid(5)}/volume.nii.gz"
    etag = client.head(address).headers["ETag"]
    answer = client.get(address, headers={"Range": asked, "If-Range": etag})
    assert (answer.status_code, answer.data) == (status, nifti[part])
    stale = client.get(address, headers={"Range": asked, "If-Range": '"another"'})
    assert (stale.status_code, stale.data) == (200, nifti)
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 304


def test_volume_range_beyond_the_end_is_refused(client: FlaskClient, nifti: bytes) -> None:
    answer = client.get(f"/api/v1/series/{synthetic.uid(5)}/volume.nii.gz", headers={"Range": f"bytes={len(nifti)}-"})
    assert (answer.status_code, answer.content_type) == (416, "application/problem+json")
    assert answer.headers["Content-Range"] == f"bytes */{len(nifti)}"
