"""The built-in sample is whole, valid, told truly by its summary, and the same bytes on every build."""

from __future__ import annotations

import hashlib
import importlib
import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from braingranary.devstack.sample_head import SampleSeries, SampleSummary, build, expected_series
from braingranary.devstack.sample_head.acquire import FRAME_LPS, Grid
from braingranary.devstack.sample_head.headers import decimal, uid
from braingranary.errors import Code
from braingranary.records import Plane

build_module = importlib.import_module("braingranary.devstack.sample_head.build")  # its name is also the function's
MOST_BYTES = 60_000_000


def _tree_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.dcm")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(sample: SampleSummary, series: SampleSeries) -> list[Path]:
    return sorted((sample.folder / series.folder).iterdir())


def _readable(sample: SampleSummary) -> list[SampleSeries]:
    return [series for series in sample.series if series.expected_reject is not Code.DICOM_TRUNCATED]


def _find(sample: SampleSummary, folder: str) -> SampleSeries:
    return next(series for series in sample.series if series.folder.endswith(folder))


@pytest.mark.slow
def test_second_build_over_a_damaged_folder_gives_the_same_bytes(sample: SampleSummary, tmp_path: Path) -> None:
    folder = tmp_path / "head"
    folder.mkdir()
    (folder / "stray.dcm").write_bytes(b"half a file")
    (tmp_path / "head.json").write_text("{}")
    again = build(folder)
    assert _tree_hash(again.folder) == _tree_hash(sample.folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head", "head.json"]


def test_build_of_a_complete_folder_writes_nothing(sample: SampleSummary) -> None:
    before = {path: path.stat().st_mtime_ns for path in sample.folder.rglob("*")}
    assert build(sample.folder) == sample
    assert {path: path.stat().st_mtime_ns for path in sample.folder.rglob("*")} == before


def test_build_beside_a_quicker_second_copy_keeps_what_that_wrote(tmp_path: Path) -> None:
    partial, folder = tmp_path / ".head-x", tmp_path / "head"
    for made in (partial, folder):
        (made / "series").mkdir(parents=True)
        (made / "series" / "1-001.dcm").write_bytes(b"same")
    kept = (folder / "series" / "1-001.dcm").stat().st_ino
    build_module._put_in_place(partial, folder)
    assert (folder / "series" / "1-001.dcm").stat().st_ino == kept


def test_build_over_an_older_sample_of_equal_sizes_replaces_it(tmp_path: Path) -> None:
    partial, folder = tmp_path / ".head-x", tmp_path / "head"
    for made, data in ((partial, b"new."), (folder, b"old.")):
        made.mkdir()
        (made / "1-001.dcm").write_bytes(data)
    build_module._put_in_place(partial, folder)
    assert (folder / "1-001.dcm").read_bytes() == b"new."


def test_build_sweeps_what_a_killed_build_left_and_spares_one_at_work(tmp_path: Path) -> None:
    killed, working, other = (tmp_path / name for name in (".head-killed", ".head-working", ".tail-killed"))
    for left in (killed, working, other):
        left.mkdir()
    for left in (killed, other):
        os.utime(left, (0, 0))
    build_module._sweep(tmp_path / "head")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".head-working", ".tail-killed"]


def test_build_is_small_and_holds_two_collections(sample: SampleSummary) -> None:
    assert sample.bytes < MOST_BYTES
    assert sample.collections == ("Sample-Healthy", "Sample-Lesion")
    assert sorted(path.name for path in sample.folder.iterdir()) == list(sample.collections)
    for collection in sample.collections:
        assert len({series.subject for series in sample.series if series.collection == collection}) >= 3


def test_summary_names_every_folder_and_every_plane_with_and_without_lesion(sample: SampleSummary) -> None:
    folders = {path.parent.relative_to(sample.folder).as_posix() for path in sample.folder.rglob("*.dcm")}
    assert folders == {series.folder for series in sample.series}
    usable = [series for series in expected_series() if series.catalogued]
    assert {(series.plane, series.lesion) for series in usable} == {
        (plane, lesion) for plane in Plane for lesion in (True, False)
    }


def test_headers_carry_the_summarys_identifiers(sample: SampleSummary) -> None:
    instances: set[str] = set()
    for series in _readable(sample):
        for path in _files(sample, series):
            header = pydicom.dcmread(path, stop_before_pixels=True)
            assert header.SeriesInstanceUID == series.series_uid
            assert header.StudyInstanceUID == series.study_uid
            assert header.Modality == series.modality
            assert header.PatientID == str(header.PatientName) == series.subject
            assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
            assert UID(header.SOPInstanceUID).is_valid
            assert header.SOPInstanceUID not in instances
            instances.add(header.SOPInstanceUID)


def test_sample_holds_every_shape_that_a_reader_must_know(sample: SampleSummary) -> None:
    first = {
        series.folder: pydicom.dcmread(_files(sample, series)[0], stop_before_pixels=True)
        for series in _readable(sample)
    }
    assert {header.file_meta.TransferSyntaxUID for header in first.values()} == {
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        JPEG2000Lossless,
    }
    assert {"SIEMENS", "Philips Medical Systems"} <= {header.Manufacturer for header in first.values()}
    assert {header.get("BitsStored") for header in first.values()} == {1, 12, 16}
    assert any("NumberOfFrames" in header and header.Modality == "MR" for header in first.values())
    assert any(header.get("RescaleSlope", 1) != 1 for header in first.values())
    assert any(float(header.get("SliceThickness", 0)) == 5.0 for header in first.values())


def test_classic_series_has_a_regular_grid_and_the_promised_slices(sample: SampleSummary) -> None:
    for series in _readable(sample):
        headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in _files(sample, series)]
        if series.expected_reject is Code.LOCALIZER or "NumberOfFrames" in headers[0]:
            continue
        assert len(headers) == series.slices
        row, column = np.array(headers[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
        assert abs(float(row @ column)) < 1e-6
        positions = np.array([header.ImagePositionPatient for header in headers], dtype=float)
        steps = np.diff(positions, axis=0)
        assert np.allclose(steps, steps[0], atol=1e-5)
        assert np.allclose(np.linalg.norm(steps, axis=1), float(headers[0].SpacingBetweenSlices), atol=1e-5)
        assert np.allclose(abs(np.cross(row, column) @ steps[0]), np.linalg.norm(steps[0]), atol=1e-5)


def test_jpeg_2000_decodes_to_a_head_and_not_to_noise(sample: SampleSummary) -> None:
    paths = _files(sample, _find(sample, "301_t1_cor"))
    image = pydicom.dcmread(paths[len(paths) // 2])
    pixels = image.pixel_array
    assert pixels.shape == (256, 256)
    assert pixels[100:140, 110:146].mean() > 10 * pixels[:20, :20].mean()


def test_big_endian_decodes_to_the_declared_range(sample: SampleSummary) -> None:
    paths = _files(sample, _find(sample, "501_flair_cor"))
    image = pydicom.dcmread(paths[len(paths) // 2])
    assert int(image.pixel_array.max()) == image.LargestImagePixelValue < 4096


def test_mask_lies_on_the_tumour_of_the_images_it_names(sample: SampleSummary) -> None:
    masks = [series for series in sample.series if series.mask_of]
    assert len(masks) == 4
    for series in masks:
        mask = pydicom.dcmread(_files(sample, series)[0])
        images_folder = next(images for images in sample.series if images.series_uid == series.mask_of)
        images = {
            image.SOPInstanceUID: image for image in (pydicom.dcmread(path) for path in _files(sample, images_folder))
        }
        reference = mask.ReferencedSeriesSequence[0]
        assert reference.SeriesInstanceUID == series.mask_of
        assert {item.ReferencedSOPInstanceUID for item in reference.ReferencedInstanceSequence} == set(images)
        frames = mask.pixel_array.reshape(mask.NumberOfFrames, mask.Rows, mask.Columns)
        inside, around = [], []
        for frame, groups in zip(frames, mask.PerFrameFunctionalGroupsSequence, strict=True):
            source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
            image = images[source]
            position = groups.PlanePositionSequence[0].ImagePositionPatient
            assert position == image.ImagePositionPatient
            assert frame.any()
            inside.append(image.pixel_array[frame > 0])
            brain = image.pixel_array[(frame == 0) & (image.pixel_array > image.LargestImagePixelValue * 0.2)]
            around.append(brain)
        # The rim lights up: what lies in the mask reaches higher than what lies around it.
        assert np.percentile(np.concatenate(inside), 90) > 1.2 * np.median(np.concatenate(around))


def test_truncated_series_ends_in_the_middle_of_its_pixels(sample: SampleSummary) -> None:
    for path in _files(sample, _find(sample, "06_t1_cor_broken")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert path.stat().st_size < header.Rows * header.Columns * 2


def test_localizer_holds_three_planes(sample: SampleSummary) -> None:
    orientations = {
        tuple(pydicom.dcmread(path, stop_before_pixels=True).ImageOrientationPatient)
        for path in _files(sample, _find(sample, "01_localizer"))
    }
    assert len(orientations) == 3


@pytest.mark.parametrize("plane", list(Plane))
def test_grid_affine_agrees_with_dicom_positions(plane: Plane) -> None:
    grid = Grid(
        plane=plane, rows=64, columns=48, slices=9, pixel_mm=1.5, spacing_mm=4.0, thickness_mm=3.0, tilt_deg=(9, -4, 2)
    )
    affine = grid.affine_ras()
    for index in (0, 4, 8):
        from_affine = affine @ np.array([index, 0, 0, 1])
        assert np.allclose(from_affine[:3] * (-1, -1, 1), grid.position_lps(index))
    centre = affine @ np.array([4, 31.5, 23.5, 1])
    assert np.allclose(centre[:3], grid.centre_ras_mm)
    expected_axis = {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}[plane]
    assert int(np.argmax(np.abs(affine[:3, 0]))) == expected_axis
    assert set(FRAME_LPS) == set(Plane)


def test_uid_depends_on_names_alone() -> None:
    assert uid("a", 1) == uid("a", 1) != uid("a", 2)
    assert uid("a", 1).is_valid
    assert len(uid("a", 1)) <= 64


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0, "0"), (1e-12, "0"), (-123.123456789, "-123.12345679"), (0.9375, "0.9375"), (5.0, "5")]
)
def test_decimal_is_short_and_has_no_negative_zero(value: float, text: str) -> None:
    assert decimal(value) == text
    assert len(decimal(value)) <= 16
