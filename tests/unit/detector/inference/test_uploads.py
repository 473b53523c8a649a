from __future__ import annotations

import gzip
import io
import struct
import warnings
import zipfile
import zlib
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from braingranary.detector.inference.raster import SIDE_MAX_PX
from braingranary.detector.inference.uploads import Kind, Upload, UploadLimits, kind_of, read_upload
from braingranary.dicom.limits import Limits
from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging import jpeg
from braingranary.imaging.slicepack import read_pack
from braingranary.nifti.header import NiftiLimits
from braingranary.normalization.encode import encode_volume
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.records import Plane
from tests.fixtures import scans
from tests.fixtures.dicom_factory import CORONAL, SAGITTAL, Scan, classic_series, enhanced_series

GREY = scans.slices(1)[0]


def only(upload: Upload) -> NDArray[Any]:
    assert len(upload.pictures) == 1
    assert not upload.series
    return upload.pictures[0]


def refused(data: bytes, limits: UploadLimits | None = None) -> Code:
    with pytest.raises(RejectedInput) as caught:
        read_upload(data, limits or UploadLimits())
    return caught.value.code


def png_with(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]


@pytest.mark.parametrize("mode", [None, "RGB", "RGBA", "LA", "P"])
def test_read_upload_grey_png_in_any_mode_gives_the_same_grey(mode: str | None) -> None:
    upload = read_upload(scans.picture(GREY, mode=mode))
    assert upload.kind is Kind.PNG
    assert upload.pixel_mm is None
    found = only(upload)
    assert found.dtype == np.uint8
    assert np.array_equal(found, GREY)


def test_read_upload_16_bit_png_keeps_its_depth() -> None:
    deep = GREY.astype(np.uint16) * 257
    assert np.array_equal(only(read_upload(scans.picture(deep))), deep)


def test_read_upload_1_bit_png_and_transparent_palette_are_understood() -> None:
    assert set(np.unique(only(read_upload(scans.picture(GREY, mode="1"))))) == {0, 255}
    image = Image.fromarray(GREY).convert("P")
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=int(np.asarray(image).max()))
    found = only(read_upload(stream.getvalue()))
    assert (found[np.asarray(image) == np.asarray(image).max()] == 0).all()


def test_read_upload_transparent_parts_are_air() -> None:
    image = Image.fromarray(np.full((64, 64), 200, np.uint8)).convert("LA")
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:32] = 0
    image.putalpha(Image.fromarray(alpha))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    found = only(read_upload(stream.getvalue()))
    assert (found[:32] == 0).all()
    assert (found[32:] == 200).all()


@pytest.mark.parametrize("mode", [None, "RGB", "CMYK"])
def test_read_upload_jpeg_in_any_mode_is_close_to_the_grey(mode: str | None) -> None:
    upload = read_upload(scans.picture(GREY, "JPEG", mode, quality=95))
    assert upload.kind is Kind.JPEG
    assert np.abs(only(upload).astype(int) - GREY).mean() < 2


def test_read_upload_jpeg_turned_by_its_camera_is_upright() -> None:
    tall = GREY[:, 20:110]
    lying = Image.Exif()
    lying[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = read_upload(scans.picture(np.rot90(tall).copy(), "JPEG", quality=95, exif=lying))
    assert only(turned).shape == tall.shape
    assert np.abs(only(turned).astype(int) - tall).mean() < 2


@pytest.mark.parametrize("deep", [False, True])
def test_read_upload_large_picture_is_averaged_down(deep: bool) -> None:
    side = SIDE_MAX_PX + 600
    large = (
        np.kron(np.arange(side // 2) % 50, np.ones(2))[None]
        .repeat(side, axis=0)
        .astype(np.uint16 if deep else np.uint8)
    )
    upload = read_upload(scans.picture(large))
    assert upload.scale == 2
    assert only(upload).shape == (side // 2, side // 2)
    assert np.array_equal(only(upload)[7], np.arange(side // 2) % 50)


def test_read_upload_coloured_picture_is_refused() -> None:
    rng = np.random.default_rng(1)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(stream, "PNG")
    assert refused(stream.getvalue()) is Code.IMAGE_COLOURED


def test_read_upload_animation_is_refused() -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    assert refused(stream.getvalue()) is Code.IMAGE_INVALID


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "ICO"])
def test_read_upload_other_formats_are_refused(kind: str) -> None:
    assert refused(scans.picture(GREY, kind)) is Code.IMAGE_INVALID


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0" + b"\0" * 200,
        b"<svg onload=alert(1)>",
        b"%PDF-1.7",
        scans.picture(GREY)[:-400],
        scans.picture(GREY, "JPEG")[:300],
        scans.picture(GREY)[:40] + b"\xff" * 50 + scans.picture(GREY)[90:],
        png_with(scans.picture(GREY), b"zTXt", b"a\0\0" + zlib.compress(bytes(80 << 20))),
        png_with(scans.picture(GREY), b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0)),
    ],
    ids=range(11),
)
def test_read_upload_broken_picture_is_refused_with_a_code(data: bytes) -> None:
    assert refused(data) is Code.IMAGE_INVALID


@pytest.mark.parametrize("shape", [(12_000, 12_000), (1 << 20, 1 << 20), (30_000, 30_000)])
def test_read_upload_dimensions_are_judged_by_the_header_alone(shape: tuple[int, int]) -> None:
    small = scans.picture(GREY)
    header = b"IHDR" + struct.pack(">IIBBBBB", *shape, 8, 0, 0, 0, 0)
    bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(bomb) is Code.IMAGE_TOO_LARGE


def test_read_upload_dicom_slice_looks_as_the_catalogue_shows_it() -> None:
    """The same code path: every byte of every JPEG is the pipeline's."""
    grey = scans.slices(4)
    files = scans.dicom(grey)
    pack = encode_volume(read_series(files).volumes[0], DEFAULT_PROFILE).packs[0].pack
    expected = [jpeg.decode(data) for data in read_pack(pack.data)]
    upload = read_upload(scans.zipped(files))
    assert (upload.kind, upload.series, upload.plane) == (Kind.DICOM_ZIP, True, Plane.AXIAL)
    assert upload.pixel_mm == pytest.approx(scans.SPACING_MM[1:])
    assert len(upload.pictures) == len(expected)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(upload.pictures, expected, strict=True))


def test_read_upload_one_slice_in_every_medical_format_is_one_picture() -> None:
    grey = scans.slices(1)
    [(_, single)] = scans.dicom(grey)
    uploads = [read_upload(data) for data in (single, scans.zipped([("a", single)]), scans.nifti(grey))]
    assert [upload.kind for upload in uploads] == [Kind.DICOM, Kind.DICOM_ZIP, Kind.NIFTI]
    first = only(uploads[0])
    assert np.corrcoef(first.ravel(), grey[0].ravel())[0, 1] > 0.98  # the window goes from percentile to percentile
    assert all(np.array_equal(only(upload), first) for upload in uploads)
    assert all(upload.pixel_mm == pytest.approx(scans.SPACING_MM[1:]) for upload in uploads)


@pytest.mark.parametrize(
    ("dtype", "compressed"), [("<u2", True), (">i2", False), ("<f4", True), ("<f8", False), ("<i4", True)]
)
def test_read_upload_nifti_of_any_number_shows_the_same_slices(dtype: str, compressed: bool) -> None:
    grey = scans.slices(4)
    expected = read_upload(scans.zipped(scans.dicom(grey)))
    found = read_upload(scans.nifti(grey, dtype=dtype, compressed=compressed))
    assert (found.plane, found.series) == (Plane.AXIAL, True)
    differences = [np.abs(a.astype(int) - b).max() for a, b in zip(found.pictures, expected.pictures, strict=True)]
    assert max(differences) <= (0 if dtype[1] in "ui" else 3)


@pytest.mark.parametrize(("orientation", "plane"), [(CORONAL, Plane.CORONAL), (SAGITTAL, Plane.SAGITTAL)])
def test_read_upload_series_keeps_its_acquired_plane(orientation: Any, plane: Plane) -> None:
    scan = Scan(orientation=orientation, slices=6, rows=40, columns=48)
    assert read_upload(scans.zipped(classic_series(scan))).plane is plane
    assert len(read_upload(enhanced_series(scan)[0][1]).pictures) == 6


def test_read_upload_nifti_slices_are_the_axis_that_says_so() -> None:
    voxels = np.random.default_rng(0).integers(0, 500, (40, 44, 48), dtype=np.int16)
    image: Any = nib.Nifti1Image(voxels, np.eye(4))  # type: ignore[no-untyped-call]
    assert read_upload(image.to_bytes()).plane is Plane.AXIAL
    image.header.set_dim_info(slice=0)
    assert read_upload(image.to_bytes()).plane is Plane.SAGITTAL
    thick: Any = nib.Nifti1Image(voxels, np.diag([1.0, 5.0, 1.0, 1.0]))  # type: ignore[no-untyped-call]
    upload = read_upload(thick.to_bytes())
    assert (upload.plane, len(upload.pictures)) == (Plane.CORONAL, 44)
    assert upload.pixel_mm == pytest.approx((1.0, 1.0))


def test_read_upload_nifti_2_and_time_series_give_the_first_volume() -> None:
    voxels = np.random.default_rng(0).integers(0, 500, (40, 44, 8, 3), dtype=np.int16)
    whole: Any = nib.Nifti2Image(voxels, np.diag([1, 1, 3, 1]))  # type: ignore[no-untyped-call]
    first: Any = nib.Nifti1Image(voxels[..., 0], np.diag([1, 1, 3, 1]))  # type: ignore[no-untyped-call]
    mine, theirs = read_upload(whole.to_bytes()), read_upload(gzip.compress(first.to_bytes()))
    assert len(mine.pictures) == 8
    assert all(np.array_equal(a, b) for a, b in zip(mine.pictures, theirs.pictures, strict=True))


def changed(offset: int, layout: str, *values: float) -> bytes:
    data = bytearray(scans.nifti(scans.slices(2), compressed=False))
    struct.pack_into("<" + layout, data, offset, *values)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed(40, "8h", 3, 30_000, 30_000, 30_000, 1, 1, 1, 1), Code.IMAGE_TOO_LARGE),
        (changed(40, "8h", 3, 2000, 2000, 2000, 1, 1, 1, 1), Code.IMAGE_TOO_LARGE),
        (changed(40, "8h", 3, 160, 160, 900, 1, 1, 1, 1), Code.IMAGE_INVALID),
        (changed(40, "8h", 3, 160, -5, 2, 1, 1, 1, 1), Code.IMAGE_INVALID),
        (changed(40, "8h", 3, 160, 0, 2, 1, 1, 1, 1), Code.IMAGE_INVALID),
        (changed(40, "8h", 0, 0, 0, 0, 0, 0, 0, 0), Code.IMAGE_INVALID),
        (changed(70, "2h", 128, 24), Code.IMAGE_INVALID),
        (changed(70, "2h", 32, 64), Code.IMAGE_INVALID),
        (changed(70, "2h", 9999, 8), Code.IMAGE_INVALID),
        (changed(108, "f", float("nan")), Code.IMAGE_INVALID),
        (changed(108, "f", 0.0), Code.IMAGE_INVALID),
        (changed(108, "f", 3e9), Code.IMAGE_INVALID),
        (changed(112, "2f", 1.0, float("inf")), Code.IMAGE_INVALID),
        (changed(280, "12f", *[0.0] * 12), Code.GEOMETRY_INVALID),
        (changed(280, "f", float("nan")), Code.GEOMETRY_INVALID),
        (gzip.compress(bytes(1 << 20), mtime=0), Code.IMAGE_INVALID),
        (scans.nifti(scans.slices(2))[:2000], Code.IMAGE_INVALID),
        (b"\x1f\x8b" + b"\xff" * 100, Code.IMAGE_INVALID),
        (scans.nifti(np.zeros((2, 64, 64), np.uint8)), Code.VOLUME_BLANK),
    ],
    ids=range(19),
)
def test_read_upload_nifti_that_lies_is_refused_with_a_code(data: bytes, code: Code) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert refused(data) is code


def test_read_upload_limits_hold_for_volumes() -> None:
    grey = scans.slices(3)
    files = scans.dicom(grey)
    tight = UploadLimits(dicom=Limits(pixel_bytes_series_max=100_000), nifti=NiftiLimits(working_bytes_max=100_000))
    assert refused(scans.zipped(files), tight) is Code.SERIES_TOO_LARGE
    assert refused(scans.nifti(grey), tight) is Code.IMAGE_TOO_LARGE


def test_read_upload_zips_that_are_no_series_are_refused() -> None:
    good = scans.dicom(scans.slices(2))
    assert refused(scans.zipped([("a.zip", scans.zipped(good))])) is Code.ZIP_INVALID
    assert refused(scans.zipped([("../a.dcm", good[0][1])])) is Code.ZIP_UNSAFE_NAME
    assert refused(scans.zipped([("a.png", scans.picture(GREY))])) is Code.NOT_DICOM
    assert refused(scans.zipped([])) is Code.SERIES_EMPTY
    assert (
        refused(scans.zipped([(f"{n}", b"x") for n in range(2_001)], zipfile.ZIP_STORED)) is Code.ZIP_TOO_MANY_ENTRIES
    )
    encrypted = bytearray(scans.zipped(good))
    at = encrypted.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    assert refused(bytes(encrypted)) is Code.ZIP_INVALID


def test_kind_of_is_told_by_content_alone() -> None:
    [(_, single)] = scans.dicom(scans.slices(1))
    polyglot = b"\x89PNG\r\n\x1a\n" + single[8:]
    assert kind_of(polyglot) is Kind.DICOM
    assert only(read_upload(polyglot)).shape == (scans.SIDE, scans.SIDE)
