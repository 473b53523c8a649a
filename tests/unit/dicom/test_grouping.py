"""Which images of a series belong to one volume: traits, orders, copies, runs that were stopped, moved heads."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import SeriesImages
from tests.fixtures.dicom_factory import (
    CORONAL,
    SAGITTAL,
    Files,
    Scan,
    classic_series,
    enhanced_series,
    shuffled,
)

SLICES = 5


def repeated(
    times: int, change: Callable[[Dataset, int, int], None], *, slices: int = SLICES, plain: bool = False
) -> Files:
    """A series whose places are all filled `times` times; `change(dataset, time, slice)` sets what tells them apart.

    Pixels tell time point and slice, unless `plain`: then all time points have equal ones.
    """

    def changed(time: int) -> Callable[[int, Dataset], None]:
        def each(index: int, dataset: Dataset) -> None:
            dataset.SOPInstanceUID = f"1.2.3.{time + 1}.{index + 1}"
            if not plain:
                stored = np.frombuffer(dataset.PixelData, "<u2") % 97 + 100 * time + 1000 * (index % 3)
                dataset.PixelData = stored.astype("<u2").tobytes()
            change(dataset, time, index)

        return each

    return [
        (f"{time}-{name}", data)
        for time in range(times)
        for name, data in classic_series(Scan(slices=slices, rows=8, columns=8), each=changed(time))
    ]


def time_points(images: SeriesImages) -> list[list[int]]:
    """For each volume the time points that its slices come from."""
    return [sorted({int(value) // 100 % 10 for value in read.volume.voxels[:, 0, 0]}) for read in images.volumes]


def numbered(dataset: Dataset, time: int, index: int) -> None:
    """Instance numbers that run through one volume after the other."""
    dataset.InstanceNumber = 1 + index + SLICES * time


def numbered_by_slice(dataset: Dataset, time: int, index: int) -> None:
    """Instance numbers that run through all time points of one slice, then the next."""
    dataset.InstanceNumber = 1 + time + 4 * index


@pytest.mark.parametrize("order", [numbered, numbered_by_slice])
def test_read_series_instance_number_is_the_last_word(order: Callable[[Dataset, int, int], None]) -> None:
    images = read_series(shuffled(repeated(4, order)))
    assert time_points(images) == [[0], [1], [2], [3]]
    assert [read.temporal_position for read in images.volumes] == [None, 2, 3, 4]


def test_read_series_time_points_with_equal_pixels_are_no_copies() -> None:
    images = read_series(repeated(3, numbered, plain=True))
    assert [(len(read.volume.voxels), read.duplicates) for read in images.volumes] == [(SLICES, 0)] * 3


def test_read_series_same_instances_twice_are_copies() -> None:
    files = repeated(2, numbered)
    images = read_series([*files, *((f"again-{name}", data) for name, data in files)])
    assert time_points(images) == [[0], [1]]
    assert sum(read.duplicates for read in images.volumes) == 2 * SLICES


def test_read_series_nothing_that_tells_apart_is_a_conflict() -> None:
    with pytest.raises(RejectedInput) as caught:
        read_series(repeated(2, lambda *_: None))
    assert caught.value.code is Code.SLICES_CONFLICT


def private(dataset: Dataset, place: tuple[int, str, int], vr: str, value: Any, *, block: int = 0) -> None:
    """Set the private element at `place` (group, creator, low byte), its block behind `block` blocks of others."""
    group, creator, element = place
    for number in range(block):
        dataset.private_block(group, f"SOMEBODY ELSE {number}", create=True)
    dataset.private_block(group, creator, create=True).add_new(element, vr, value)


def with_trigger(dataset: Dataset, time: int, index: int) -> None:
    dataset.TriggerTime = 40.0 * time + index


def with_philips_phase(dataset: Dataset, time: int, _: int) -> None:
    private(dataset, (0x2001, "Philips Imaging DD 001", 0x08), "IS", time + 1, block=2)


def with_philips_label(dataset: Dataset, time: int, _: int) -> None:
    dataset.TemporalPositionIdentifier = 1 + time // 2
    private(dataset, (0x2005, "Philips MR Imaging DD 005", 0x29), "CS", ("CONTROL", "LABEL")[time % 2], block=4)


def with_ge_kind(dataset: Dataset, time: int, _: int) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY", "OTHER"]
    private(dataset, (0x0043, "GEMS_PARM_01", 0x2F), "SS", time, block=1)


def with_siemens_b_value(dataset: Dataset, time: int, _: int) -> None:
    private(dataset, (0x0019, "SIEMENS MR HEADER", 0x0C), "IS", 500 * time, block=3)


def with_philips_b_value(dataset: Dataset, time: int, _: int) -> None:
    private(dataset, (0x2001, "Philips Imaging DD 001", 0x03), "FL", 400.0 * time, block=1)


def with_ge_b_value(dataset: Dataset, time: int, _: int) -> None:
    private(dataset, (0x0043, "GEMS_PARM_01", 0x39), "IS", [1_000_000_000 + 300 * time, 8, 0, 0], block=2)


def with_uih_b_value(dataset: Dataset, time: int, _: int) -> None:
    private(dataset, (0x0065, "Image Private Header", 0x09), "FD", 250.0 * time, block=1)


def with_echo_number(dataset: Dataset, time: int, _: int) -> None:
    del dataset.EchoTime
    dataset.EchoNumbers = time + 1


def with_time_over_midnight(dataset: Dataset, time: int, index: int) -> None:
    second = 86_394 + 3 * time + 0.5 * index
    dataset.AcquisitionDate = "20231231" if second < 86_400 else "20240101"
    dataset.AcquisitionTime = clock(second)


def with_dateless_time_over_midnight(dataset: Dataset, time: int, index: int) -> None:
    dataset.AcquisitionTime = clock(86_394 + 3 * time + 0.5 * index)


def with_dates_alone(dataset: Dataset, time: int, _: int) -> None:
    dataset.AcquisitionDate = f"202401{10 + time}"
    dataset.AcquisitionTime = clock(50_000 - 900 * time)


def clock(second: float) -> str:
    hours, rest = divmod(second % 86_400, 3600)
    return f"{int(hours):02d}{int(rest // 60):02d}{rest % 60:06.3f}"


@pytest.mark.parametrize(
    "change",
    [
        with_trigger,
        with_philips_phase,
        with_philips_label,
        with_ge_kind,
        with_siemens_b_value,
        with_philips_b_value,
        with_ge_b_value,
        with_uih_b_value,
        with_echo_number,
        with_time_over_midnight,
        with_dateless_time_over_midnight,
        with_dates_alone,
    ],
)
def test_read_series_each_value_is_a_volume(change: Callable[[Dataset, int, int], None]) -> None:
    images = read_series(shuffled(repeated(4, change)))
    assert sorted(time_points(images)) == [[0], [1], [2], [3]]
    assert time_points(images)[0] == [0]
    assert not images.file_rejects


def test_read_series_private_number_of_another_creator_is_not_believed() -> None:
    def foreign(dataset: Dataset, time: int, _: int) -> None:
        private(dataset, (0x0019, "ANOTHER MAKER", 0x0C), "IS", 500 * time)

    with pytest.raises(RejectedInput) as caught:
        read_series(repeated(2, foreign))
    assert caught.value.code is Code.SLICES_CONFLICT


def test_read_series_traits_win_over_places_of_a_head_that_moved() -> None:
    def moved(dataset: Dataset, time: int, index: int) -> None:
        dataset.DiffusionBValue = 800.0 * time
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 0.4 * time]
        dataset.AcquisitionNumber = 1 + index % 2

    images = read_series(repeated(3, moved))
    assert time_points(images) == [[0], [1], [2]]
    assert [(read.b_value, read.uneven) for read in images.volumes] == [(0.0, False), (800.0, False), (1600.0, False)]


def test_read_series_acquisitions_of_a_head_that_moved_are_volumes() -> None:
    def moved(dataset: Dataset, time: int, _: int) -> None:
        dataset.AcquisitionNumber = time + 1
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 0.7 * time]

    assert time_points(read_series(repeated(3, moved))) == [[0], [1], [2]]


def test_read_series_trait_of_slice_packages_splits_nothing() -> None:
    def packages(index: int, dataset: Dataset) -> None:
        dataset.InversionTime = 2500.0 + index % 2
        dataset.AcquisitionNumber = 1 + index % 2

    (read,) = read_series(classic_series(Scan(slices=8), each=packages)).volumes
    assert (len(read.volume.voxels), read.gaps, read.uneven) == (8, 0, False)


@pytest.mark.parametrize("change", [numbered, with_time_over_midnight])
def test_read_series_run_that_was_stopped_keeps_its_complete_volumes(
    change: Callable[[Dataset, int, int], None],
) -> None:
    images = read_series(shuffled(repeated(3, change)[:-2]))
    assert time_points(images) == [[0], [1]]
    assert [reject.code for reject in images.file_rejects] == [Code.SLICES_CONFLICT] * (SLICES - 2)


def test_read_series_echo_times_that_differ_in_their_last_digits_are_one() -> None:
    def echoes(dataset: Dataset, time: int, index: int) -> None:
        dataset.EchoTime = [4.6005, 9.2005][time] + (1e-5 if index % 2 else -1e-5)

    images = read_series(repeated(2, echoes))
    assert time_points(images) == [[0], [1]]


def test_read_series_orientation_on_the_edge_of_a_digit_is_one() -> None:
    def tilted(index: int, dataset: Dataset) -> None:
        sine = 0.085 + (2e-6 if index % 2 else -2e-6)
        dataset.ImageOrientationPatient = [1, 0, 0, 0, float(np.sqrt(1 - sine**2)), sine]

    images = read_series(classic_series(Scan(slices=9), each=tilted))
    assert [len(read.volume.voxels) for read in images.volumes] == [9]


def test_read_series_cosines_of_many_digits_give_one_affine_in_any_order() -> None:
    def tilted(index: int, dataset: Dataset) -> None:
        sine = 0.2 + 1e-6 * (index % 3)
        dataset.ImageOrientationPatient = [1, 0, 0, 0, float(np.sqrt(1 - sine**2)), sine]

    files = classic_series(Scan(slices=10), each=tilted)
    affines = [read_series(order).volumes[0].volume.affine for order in (files, files[::-1], shuffled(files))]
    assert np.array_equal(affines[0], affines[1])
    assert np.array_equal(affines[0], affines[2])


def test_read_series_planes_that_turn_little_by_little_are_a_localizer() -> None:
    def turned(index: int, dataset: Dataset) -> None:
        angle = np.radians(0.5 * index)
        dataset.ImageOrientationPatient = [float(np.cos(angle)), float(np.sin(angle)), 0, 0, 0, -1]

    with pytest.raises(RejectedInput) as caught:
        read_series(classic_series(Scan(slices=180, rows=8, columns=8, orientation=CORONAL), each=turned))
    assert caught.value.code is Code.LOCALIZER


def test_read_series_two_real_stacks_are_two_volumes() -> None:
    files = classic_series(Scan(slices=6)) + classic_series(Scan(slices=7, orientation=CORONAL))
    assert sorted(len(read.volume.voxels) for read in read_series(files).volumes) == [6, 7]


def test_read_series_three_stacks_are_a_localizer() -> None:
    files = [
        file for orientation in (CORONAL, SAGITTAL, Scan().orientation)
        for file in classic_series(Scan(slices=6, orientation=orientation))
    ]  # fmt: skip
    with pytest.raises(RejectedInput) as caught:
        read_series(files)
    assert caught.value.code is Code.LOCALIZER


def test_read_series_every_image_with_a_spacing_of_its_own_is_rejected() -> None:
    def spaced(index: int, dataset: Dataset) -> None:
        dataset.PixelSpacing = [0.9 + 0.01 * index] * 2

    with pytest.raises(RejectedInput) as caught:
        read_series(classic_series(Scan(slices=11), each=spaced))
    assert caught.value.code is Code.SERIES_MIXED


def test_read_series_enhanced_file_beside_its_classic_images_stays_apart() -> None:
    def like_classic(_: int, index: int, group: Dataset) -> None:
        content, kind, rescale = group.FrameContentSequence[0], Dataset(), Dataset()
        del content.TemporalPositionIndex
        content.DimensionIndexValues, content.FrameAcquisitionNumber = [1, index + 1, 1], 1
        kind.FrameType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        group.MRImageFrameTypeSequence = [kind]
        rescale.RescaleSlope, rescale.RescaleIntercept = 2.0, 0.0
        group.PixelValueTransformationSequence = [rescale]

    enhanced = enhanced_series(Scan(slices=6, header={"InstanceNumber": 3}), each=like_classic)
    images = read_series([*classic_series(Scan(slices=6)), *enhanced])
    assert sorted(read.volume.slope for read in images.volumes) == [1.0, 2.0]


def test_read_series_dimension_that_counts_every_frame_tells_nothing() -> None:
    def counted(repetition: int, index: int, group: Dataset) -> None:
        content = group.FrameContentSequence[0]
        del content.TemporalPositionIndex
        # time point beside a counter of all frames, in the places of the stack and the position in it
        content.DimensionIndexValues = [1, index + 1, 100 + index + 5 * repetition]
        content.FrameAcquisitionDateTime = f"202401011200{10 * repetition + index:02d}"

    images = read_series(enhanced_series(Scan(slices=5), repetitions=3, each=counted))
    assert [len(read.volume.voxels) for read in images.volumes] == [5, 5, 5]


def test_read_series_diffusion_is_stood_for_by_its_lowest_weighting() -> None:
    def mapped(dataset: Dataset, time: int, _: int) -> None:
        dataset.ImageType = ["DERIVED", "PRIMARY", ("ADC", "M", "M")[time]]
        if time:
            dataset.DiffusionBValue = (None, 1000.0, 50.0)[time]

    images = read_series(repeated(3, mapped))
    assert [(read.image_kind, read.b_value) for read in images.volumes] == [
        ("magnitude", 50.0), ("adc", None), ("magnitude", 1000.0),
    ]  # fmt: skip


def test_read_series_puts_no_volume_together_before_it_is_asked_for() -> None:
    scan = Scan(slices=8, rows=128, columns=128)

    def timed(time: int) -> Callable[[int, Dataset], None]:
        def each(index: int, dataset: Dataset) -> None:
            dataset.InstanceNumber = 1 + index + 8 * time
            dataset.SOPInstanceUID = f"1.2.3.{time}.{index}"

        return each

    files = [file for time in range(10) for file in classic_series(scan, each=timed(time))]
    pixels = 10 * 8 * 128 * 128 * 2
    tracemalloc.start()
    try:
        images = read_series(files)
        reading = tracemalloc.get_traced_memory()[1]
        total = sum(int(read.volume.voxels[0, 0, 1]) for read in images.volumes)
        using = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 10 * 5
    assert reading < pixels / 2
    assert using < pixels / 2
