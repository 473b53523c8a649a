"""One series: packs, sidecar and rows agree with one another, come out the same every time, and hold no header text."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging import jpeg
from braingranary.normalization.profile import DEFAULT_PROFILE, Profile
from braingranary.normalization.rows import TABLES
from braingranary.normalization.series import NormalizedSeries, normalize_series
from braingranary.normalization.sidecar import Sidecar
from braingranary.normalization.tables import arrow_table
from tests.unit.normalization import phantom

UID = f"{phantom.ROOT}.1"
NEAR_ISOTROPIC = {"shape": (40, 64, 64), "spacing_mm": (4.0, 3.0, 3.0)}


def normalized(files: phantom.Files, profile: Profile = DEFAULT_PROFILE, workers: int = 1) -> NormalizedSeries:
    return normalize_series(read_series(files), phantom.receipt_of(UID, b"zip"), profile, workers=workers)


@pytest.mark.parametrize(
    ("cosines", "plane"),
    [(phantom.AXIAL, "axial"), (phantom.CORONAL, "coronal"), (phantom.SAGITTAL, "sagittal")],
)
def test_normalize_series_thick_slices_give_the_acquired_plane_alone(
    cosines: tuple[tuple[float, ...], ...], plane: str
) -> None:
    rows = normalized(phantom.dicom_files(UID, cosines=cosines)).rows
    (series,) = rows.rows("series")
    (pack,) = rows.rows("packs")
    assert (series["plane"], pack["plane"], pack["acquired"]) == (plane, plane, True)
    assert (series["slice_count"], series["rows"], series["columns"]) == (24, 64, 64)
    assert series["slice_spacing_mm"] == pytest.approx(7.0)


def test_normalize_series_near_isotropic_volume_also_gets_the_other_planes() -> None:
    made = normalized(phantom.dicom_files(UID, **NEAR_ISOTROPIC))  # type: ignore[arg-type]
    packs = {pack["plane"]: pack for pack in made.rows.rows("packs")}
    assert [(plane, pack["acquired"]) for plane, pack in packs.items()] == [
        ("axial", True),
        ("coronal", False),
        ("sagittal", False),
    ]
    assert packs["coronal"]["slice_count"] == 50
    assert packs["coronal"]["pixel_width_mm"] == pytest.approx(packs["coronal"]["pixel_height_mm"], rel=0.01)


def test_normalize_series_every_slice_row_finds_its_jpeg() -> None:
    made = normalized(phantom.dicom_files(UID, **NEAR_ISOTROPIC))  # type: ignore[arg-type]
    data = {pack.key: pack.data for pack in made.packs}
    for pack in made.rows.rows("packs"):
        pack_bytes = data[str(pack["object_key"])]
        slices = [row for row in made.rows.rows("slices") if row["plane"] == pack["plane"]]
        assert len(slices) == pack["slice_count"]
        assert [row["slice_index"] for row in slices] == list(range(len(slices)))
        with zipfile.ZipFile(io.BytesIO(pack_bytes)) as archive:
            members = [archive.read(name) for name in archive.namelist()]
        for row, member in zip(slices, members, strict=True):
            start, length = row["byte_offset"], row["byte_length"]
            assert isinstance(start, int)
            assert isinstance(length, int)
            assert pack_bytes[start : start + length] == member
        assert jpeg.decode(members[0]).shape == (pack["height"], pack["width"])


def test_normalize_series_slice_shows_the_head_where_it_is() -> None:
    made = normalized(phantom.dicom_files(UID))
    with zipfile.ZipFile(io.BytesIO(made.packs[0].data)) as archive:
        image = jpeg.decode(archive.read("0012.jpg"))
    affine = np.array(made.sidecar.volumes[0].packs[0].affine)
    row, column = np.indices(image.shape)
    index = np.stack([np.full(row.shape, 11), row, column, np.ones_like(row)]).astype(float)
    r, a, s, _ = np.einsum("ij,jkl->ikl", affine, index)
    window = made.sidecar.volumes[0]
    truth = np.clip(phantom.head_at(r, a, s), window.window_low, window.window_high)
    assert np.corrcoef(truth.ravel(), image.ravel())[0, 1] > 0.97


def test_normalize_series_same_files_in_any_order_give_the_same_bytes() -> None:
    files = phantom.dicom_files(UID, **NEAR_ISOTROPIC)  # type: ignore[arg-type]
    first, again = normalized(files), normalized(files[::-1], workers=3)
    assert [pack.data for pack in first.packs] == [pack.data for pack in again.packs]
    assert first.sidecar.to_json() == again.sidecar.to_json()
    for table in TABLES:
        assert first.rows.parquet(table) == again.rows.parquet(table)


def test_normalize_series_rows_fit_their_schemas() -> None:
    rows = normalized(phantom.dicom_files(UID)).rows
    for table, schema in TABLES.items():
        assert arrow_table(table, rows.rows(table)).schema == schema


def test_normalize_series_sidecar_comes_back_from_json_and_tells_the_window() -> None:
    made = normalized(phantom.dicom_files(UID))
    assert Sidecar.from_json(made.sidecar.to_json()) == made.sidecar
    (series,) = made.rows.rows("series")
    volume = made.sidecar.volumes[0]
    assert (volume.window_low, volume.window_high) == (series["window_low"], series["window_high"])
    assert made.sidecar.profile_values["jpeg_quality"] == 90
    assert made.sidecar.libraries["simplejpeg"]


def test_normalize_series_header_text_and_names_never_leave() -> None:
    secret = {
        "PatientName": "Marked^Name",
        "PatientID": "MARKED-1",
        "SeriesDescription": "MARKED t1 ax",
        "ProtocolName": "MARKED",
        "StudyDescription": "MARKED",
        "InstitutionName": "MARKED",
        "ReferringPhysicianName": "MARKED",
        "ImageComments": "MARKED",
    }
    made = normalized(phantom.dicom_files(UID, tags=secret))
    everything = made.sidecar.to_json() + b"".join(pack.data for pack in made.packs)
    everything += json.dumps([made.rows.rows(table) for table in TABLES], default=str).encode()
    assert b"marked" not in everything.lower()


def test_normalize_series_of_another_uid_than_the_record_is_rejected() -> None:
    files = phantom.dicom_files(f"{phantom.ROOT}.2")
    with pytest.raises(RejectedInput) as caught:
        normalized(files)
    assert caught.value.code is Code.SERIES_MIXED


def test_normalize_series_blank_images_are_rejected() -> None:
    files = phantom.dicom_files(UID, tags={"PixelRepresentation": 0})
    blank = [(name, data[: -64 * 64 * 2] + bytes(64 * 64 * 2)) for name, data in files]
    with pytest.raises(RejectedInput) as caught:
        normalized(blank)
    assert caught.value.code is Code.VOLUME_BLANK


def test_normalize_series_broken_file_is_left_out_and_told() -> None:
    files = phantom.dicom_files(UID)
    files[5] = (files[5][0], files[5][1][:600])
    made = normalized(files)
    (reject,) = made.rows.rows("rejects")
    assert reject["fatal"] is False
    assert made.rows.rows("series")[0]["slice_gaps"] == 1
    assert len(made.rows.rows("packs")) == 1


def test_normalize_series_profile_values_reach_the_images() -> None:
    files = phantom.dicom_files(UID, **NEAR_ISOTROPIC)  # type: ignore[arg-type]
    coarse = Profile(jpeg_quality=40, reformat_slices=7)
    made = normalized(files, coarse)
    assert len(made.packs[0].data) < 0.7 * len(normalized(files).packs[0].data)
    assert [pack["slice_count"] for pack in made.rows.rows("packs")] == [40, 7, 7]
    assert made.packs[0].key.startswith(f"normalized/{coarse.name}/{UID}/")


def test_normalize_series_of_many_volumes_makes_reformats_of_the_reference_alone() -> None:
    files = [
        (f"{b_value}-{name}", data)
        for b_value in (700.0, 0.0, 1400.0)
        for name, data in phantom.dicom_files(UID, **NEAR_ISOTROPIC, tags={"DiffusionBValue": b_value})  # type: ignore[arg-type]
    ]
    made = normalized(files)
    (series,) = made.rows.rows("series")
    assert (series["volume_count"], series["slice_count"]) == (3, 40)
    assert [(pack["volume"], pack["plane"]) for pack in made.rows.rows("packs")] == [
        (0, "axial"), (0, "coronal"), (0, "sagittal"), (1, "axial"), (2, "axial"),
    ]  # fmt: skip
    assert [volume.b_value for volume in made.sidecar.volumes] == [0.0, 700.0, 1400.0]
