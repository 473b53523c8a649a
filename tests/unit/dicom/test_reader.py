"""Putting a series together: order, volumes, copies, strays, and what one broken file may cost."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from braingranary.dicom.limits import Limits
from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import SeriesImages
from tests.fixtures.dicom_factory import (
    CORONAL,
    SAGITTAL,
    SERIES_UID,
    STUDY_UID,
    SYNTAXES,
    Files,
    Scan,
    classic_file,
    classic_series,
    enhanced_series,
    mosaic_file,
    shuffled,
)


def rejected(files: Files, limits: Limits | None = None) -> Code:
    with pytest.raises(RejectedInput) as caught:
        read_series(files, limits=limits or Limits())
    return caught.value.code


def voxels_equal(images: SeriesImages, scan: Scan, volume: int = 0, offset: int = 0) -> bool:
    found = images.volumes[volume].volume.voxels
    return all(np.array_equal(found[index], scan.pixels(index) + offset) for index in range(scan.slices))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_read_series_every_syntax_gives_equal_pixels(syntax: str, signed: bool) -> None:
    scan = Scan(syntax=syntax, signed=signed)
    images = read_series(shuffled(classic_series(scan)))
    assert images.transfer_syntax == SYNTAXES[syntax]
    assert images.volumes[0].volume.voxels.dtype == np.dtype("int16" if signed else "uint16")
    assert voxels_equal(images, scan)


@pytest.mark.parametrize(("allocated", "stored"), [(8, 8), (8, 7), (16, 10), (16, 16), (32, 20), (32, 32)])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", ["explicit", "big_endian", "rle"])
def test_read_series_every_depth_gives_equal_pixels(allocated: int, stored: int, signed: bool, syntax: str) -> None:
    scan = Scan(bits_allocated=allocated, bits_stored=stored, signed=signed, syntax=syntax)
    assert voxels_equal(read_series(classic_series(scan)), scan)


@pytest.mark.parametrize("syntax", ["explicit", "jpeg_2000", "rle", "big_endian"])
def test_read_series_enhanced_equals_classic(syntax: str) -> None:
    scan = Scan(syntax=syntax)
    enhanced, classic = read_series(enhanced_series(scan)), read_series(classic_series(scan))
    assert voxels_equal(enhanced, scan)
    assert np.allclose(enhanced.volumes[0].volume.affine, classic.volumes[0].volume.affine)


def test_read_series_enhanced_repetitions_become_volumes() -> None:
    scan = Scan()
    images = read_series(enhanced_series(scan, repetitions=3))
    assert [read.temporal_position for read in images.volumes] == [1, 2, 3]
    assert all(voxels_equal(images, scan, volume, volume) for volume in range(3))


def test_read_series_enhanced_dimension_index_alone_tells_volumes_apart() -> None:
    def without_temporal_index(_: int, __: int, group: Dataset) -> None:
        del group.FrameContentSequence[0].TemporalPositionIndex

    images = read_series(enhanced_series(repetitions=2, each=without_temporal_index))
    assert [len(read.volume.voxels) for read in images.volumes] == [5, 5]


def test_read_series_mosaic_equals_classic() -> None:
    scan = Scan(slices=7)
    mosaic, classic = read_series([("m.dcm", mosaic_file(scan))]), read_series(classic_series(scan))
    assert voxels_equal(mosaic, scan)
    assert np.allclose(mosaic.volumes[0].volume.affine, classic.volumes[0].volume.affine)


def test_read_series_mosaics_over_time_become_volumes() -> None:
    copies = [(f"{n}.dcm", mosaic_file(SOPInstanceUID=f"1.2.{n}")) for n in (3, 1, 2)]
    assert [read.duplicates for read in read_series(copies).volumes] == [10]
    # three acquisitions are time points, even where some of their slices are equal (background often is)
    files = [
        (f"{n}.dcm", mosaic_file(AcquisitionNumber=n, AcquisitionTime=f"12000{n}", SOPInstanceUID=f"1.2.{n}"))
        for n in (3, 1, 2)
    ]
    images = read_series(files)
    assert [(len(read.volume.voxels), read.duplicates) for read in images.volumes] == [(5, 0)] * 3


def test_read_series_impossible_mosaic_is_rejected() -> None:
    block = mosaic_file()
    at = block.index(b"\x19\x00\x0a\x10US\x02\x00")
    assert rejected([("m.dcm", block[: at + 8] + b"\x00\x00" + block[at + 10 :])]) is Code.GEOMETRY_INVALID
    assert rejected([("m.dcm", block[: at + 8] + b"\x32\x00" + block[at + 10 :])]) is Code.GEOMETRY_INVALID


@pytest.mark.parametrize("orientation", [SAGITTAL, CORONAL])
def test_read_series_order_of_files_changes_nothing(
    orientation: tuple[float, float, float, float, float, float],
) -> None:
    files = classic_series(Scan(orientation=orientation))
    first, second = read_series(files), read_series(shuffled(files))
    assert np.array_equal(first.volumes[0].volume.voxels, second.volumes[0].volume.voxels)
    assert np.array_equal(first.volumes[0].volume.affine, second.volumes[0].volume.affine)
    assert first.header == second.header


def test_read_series_identity_and_inversion_are_told() -> None:
    images = read_series(classic_series(Scan(photometric="MONOCHROME1")))
    assert (images.series_uid, images.study_uid) == (SERIES_UID, STUDY_UID)
    assert images.volumes[0].volume.inverted


def test_read_series_uniform_rescale_is_kept_aside() -> None:
    scan = Scan(header={"RescaleSlope": 2.5, "RescaleIntercept": -7})
    volume = read_series(classic_series(scan)).volumes[0].volume
    assert (volume.slope, volume.intercept, volume.voxels.dtype) == (2.5, -7.0, np.dtype("uint16"))


def test_read_series_differing_rescale_is_applied() -> None:
    def rescaled(index: int, dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1.0 + index, float(-index)

    scan = Scan()
    volume = read_series(classic_series(scan, each=rescaled)).volumes[0].volume
    assert (volume.slope, volume.intercept, volume.voxels.dtype) == (1.0, 0.0, np.dtype("float32"))
    assert np.allclose(volume.voxels[3], scan.pixels(3) * 4.0 - 3)


def test_read_series_missing_slices_are_counted() -> None:
    files = classic_series(Scan(slices=12))
    read = read_series([file for index, file in enumerate(files) if index not in (3, 7, 8)]).volumes[0]
    assert (read.gaps, read.uneven, len(read.positions_mm)) == (3, False, 9)
    assert read.volume.spacing_mm[0] == pytest.approx(3.0)


def test_read_series_broken_file_costs_its_slice_only() -> None:
    files = classic_series(Scan(slices=8))
    files[4] = (files[4][0], files[4][1][:-10])
    images = read_series(files)
    assert [(reject.name, reject.code) for reject in images.file_rejects] == [("1-005.dcm", Code.DICOM_TRUNCATED)]
    assert (images.volumes[0].gaps, len(images.volumes[0].volume.voxels)) == (1, 7)


def test_read_series_text_files_are_left_out() -> None:
    images = read_series([("notes.txt", b"hello"), *classic_series()])
    assert [reject.code for reject in images.file_rejects] == [Code.NOT_DICOM]


def test_read_series_exact_copies_are_dropped_and_counted() -> None:
    files = classic_series()
    read = read_series([*files, ("copy.dcm", files[2][1])]).volumes[0]
    assert (len(read.volume.voxels), read.duplicates, read.gaps) == (5, 1, 0)


def test_read_series_conflicting_copies_are_rejected() -> None:
    files = classic_series()
    assert rejected([*files, ("copy.dcm", files[2][1][:-2] + b"\x01\x00")]) is Code.SLICES_CONFLICT


def test_read_series_repetition_by_time_becomes_volumes() -> None:
    def at_time(time: str, offset: int) -> Files:
        def change(_: int, dataset: Dataset) -> None:
            dataset.AcquisitionTime = time
            dataset.PixelData = (np.frombuffer(dataset.PixelData, "<u2") + offset).astype("<u2").tobytes()

        return classic_series(each=change)

    images = read_series([*at_time("120500", 1), *at_time("120000", 0)])
    assert voxels_equal(images, Scan(), 0, 0)
    assert voxels_equal(images, Scan(), 1, 1)


def test_read_series_echoes_become_volumes_in_order() -> None:
    late = classic_series(Scan(header={"EchoTime": 90.0}))
    images = read_series([*late, *classic_series(Scan(header={"EchoTime": 12.0}))])
    assert [read.echo_time_ms for read in images.volumes] == [12.0, 90.0]


def test_read_series_diffusion_becomes_volumes_with_directions_in_ras() -> None:
    files = classic_series(Scan(header={"DiffusionBValue": 0.0}))
    files += classic_series(Scan(header={"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": [1.0, 0.0, 0.0]}))
    files += classic_series(Scan(header={"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": [0.0, 0.0, 1.0]}))
    found = [(read.b_value, read.b_direction) for read in read_series(files).volumes]
    assert found == [(0.0, None), (1000.0, (-1.0, 0.0, 0.0)), (1000.0, (0.0, 0.0, 1.0))]


def test_read_series_magnitude_and_phase_become_volumes() -> None:
    phase = classic_series(Scan(header={"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}))
    assert [read.image_kind for read in read_series([*phase, *classic_series()]).volumes] == ["magnitude", "phase"]


def test_read_series_trait_that_changes_from_slice_to_slice_splits_nothing() -> None:
    def drifting(index: int, dataset: Dataset) -> None:
        dataset.EchoTime = 4.5 + index
        dataset.AcquisitionNumber = index + 1

    assert len(read_series(classic_series(each=drifting)).volumes) == 1


def test_read_series_several_orientations_are_a_localizer() -> None:
    files = classic_series(Scan(slices=3)) + classic_series(Scan(slices=3, orientation=SAGITTAL))
    assert rejected(files) is Code.LOCALIZER


def test_read_series_image_type_localizer_is_rejected() -> None:
    scan = Scan(header={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    assert rejected(classic_series(scan)) is Code.LOCALIZER


@pytest.mark.parametrize("stray", [Scan(slices=1, orientation=SAGITTAL), Scan(slices=1, rows=20)])
def test_read_series_single_stray_image_is_left_out(stray: Scan) -> None:
    images = read_series([*classic_series(Scan(slices=9)), ("stray.dcm", classic_file(stray, 3))])
    assert [(reject.name, reject.code) for reject in images.file_rejects] == [("stray.dcm", Code.SERIES_MIXED)]
    assert len(images.volumes) == 1


def test_read_series_file_of_another_series_is_left_out() -> None:
    other = classic_file(Scan(series_uid="1.2.3.4"), 2)
    images = read_series([("other.dcm", other), *classic_series()])
    assert [(reject.name, reject.code) for reject in images.file_rejects] == [("other.dcm", Code.SERIES_MIXED)]
    assert len(images.volumes[0].volume.voxels) == 5


def test_read_series_other_modality_is_rejected() -> None:
    assert rejected(classic_series(Scan(header={"Modality": "CT"}))) is Code.MODALITY_UNSUPPORTED


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"SeriesInstanceUID": "../../etc"}, Code.UID_INVALID),
        ({"PhotometricInterpretation": "RGB"}, Code.PIXEL_FORMAT_UNSUPPORTED),
        ({"SamplesPerPixel": 3}, Code.PIXEL_FORMAT_UNSUPPORTED),
        ({"NumberOfFrames": 3}, Code.GEOMETRY_MISSING),
        ({"Rows": 0}, Code.DICOM_TOO_LARGE),
        ({"PixelSpacing": [0, 1]}, Code.GEOMETRY_INVALID),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, Code.GEOMETRY_INVALID),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, Code.GEOMETRY_INVALID),
        ({"ImagePositionPatient": None}, Code.GEOMETRY_MISSING),
        ({"ImagePositionPatient": [1e9, 0, 0]}, Code.GEOMETRY_INVALID),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_read_series_bad_header_is_rejected_with_its_code(header: dict[str, object], code: Code) -> None:
    assert rejected(classic_series(Scan(header=header))) is code


def test_read_series_not_a_number_in_position_is_rejected() -> None:
    data = classic_file(Scan(origin=(-40.0, -50.0, -30.0)))
    assert rejected([("1.dcm", data.replace(b"-40.0\\", b"NaN  \\", 1))]) is Code.GEOMETRY_INVALID


def test_read_series_no_files_is_rejected() -> None:
    assert rejected([]) is Code.SERIES_EMPTY


def test_read_series_budgets_hold() -> None:
    files = classic_series()
    assert rejected(files, Limits(pixel_bytes_series_max=1000)) is Code.SERIES_TOO_LARGE
    assert rejected(files, Limits(files_max=4)) is Code.SERIES_TOO_LARGE
    assert rejected(files, Limits(file_bytes_max=100)) is Code.DICOM_TOO_LARGE
    assert rejected(files, Limits(element_count_max=10)) is Code.DICOM_TOO_LARGE
    assert rejected(files, Limits(pixel_bytes_file_max=383)) is Code.DICOM_TOO_LARGE


def test_read_series_file_without_preamble_is_read() -> None:
    data = classic_file()
    assert len(read_series([("1.dcm", data[132:])]).volumes) == 1


def test_read_series_wrongly_named_layout_is_read() -> None:
    implicit, explicit = b"UI\x12\x001.2.840.10008.1.2\0", b"UI\x14\x001.2.840.10008.1.2.1\0"
    data = classic_file(Scan(syntax="implicit")).replace(implicit, explicit, 1)
    assert voxels_equal(read_series([("1.dcm", data)]), Scan(slices=1))
    data = classic_file().replace(explicit, implicit, 1)
    assert voxels_equal(read_series([("1.dcm", data)]), Scan(slices=1))
