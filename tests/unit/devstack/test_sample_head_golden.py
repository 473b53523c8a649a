"""Normalization gives the same bytes for the built-in sample everywhere: packs and contact sheets by golden hash."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.devstack.sample_head import SampleSummary
from braingranary.devstack.sample_head.acquire import scan_mask
from braingranary.devstack.sample_head.head import load_head
from braingranary.devstack.sample_head.headers import series_uid
from braingranary.devstack.sample_head.plan import LESION, SERIES
from braingranary.dicom.reader import read_series
from braingranary.errors import RejectedInput
from braingranary.imaging.planes import acquired_stack, plane_of
from braingranary.normalization.encode import EncodedVolume
from braingranary.normalization.labels.segmentation import read_segmentation
from tests.golden.record import check, encoded, members, sheet_hash


@pytest.fixture(scope="module")
def normalized(sample: SampleSummary) -> dict[str, EncodedVolume]:
    return {
        f"{series.subject}/{Path(series.folder).name}": encoded(members(sample.folder / series.folder))
        for series in sample.series
        if series.catalogued
    }


def test_every_slice_pack_of_the_sample_has_its_golden_hash(normalized: dict[str, EncodedVolume]) -> None:
    hashes = {f"{name}/{pack.plane}": pack.sha256 for name, volume in normalized.items() for pack in volume.packs}
    check("packs_sample", hashes)


def test_contact_sheets_of_the_sample_are_those_that_were_looked_at(normalized: dict[str, EncodedVolume]) -> None:
    hashes = {
        f"{name}/{pack.plane}": sheet_hash(name.replace("/", "_"), pack)
        for name, volume in normalized.items()
        for pack in volume.packs
    }
    check("contact_sheets_sample", hashes)


def test_reader_finds_every_voxel_where_the_scanner_put_it(sample: SampleSummary) -> None:
    for plan in SERIES:
        if plan.expected_reject is not None:
            continue
        (read,) = read_series(members(sample.folder / plan.key)).volumes
        found = _corners(read.volume.affine, read.volume.voxels.shape)
        placed = _corners(plan.grid.affine_ras(), (plan.grid.slices, plan.grid.rows, plan.grid.columns))
        assert np.allclose(found, placed, atol=1e-3), plan.key


def test_tumour_on_the_patients_right_stands_in_the_left_half_of_the_image(sample: SampleSummary) -> None:
    (read,) = read_series(members(sample.folder / LESION / "SL-001" / "07_t1ce_ax")).volumes
    stack = acquired_stack(read.volume.voxels, read.volume.affine)
    index = int(np.argmin(np.abs(stack.positions_mm - 24.0)))
    # brighter than fat at the scalp is only the rim; the middle of the image is far from the scalp
    middle = stack.slices[index][60:-60, 50:-50].astype(float)
    rim = np.argwhere(middle > 1.15 * np.percentile(middle, 90))
    assert len(rim) > 100
    assert rim[:, 1].max() < middle.shape[1] / 2


def test_mask_marks_the_slices_and_voxels_of_the_tumour_it_was_made_from(sample: SampleSummary) -> None:
    for series in sample.series:
        if series.mask_of is None:
            continue
        marked = read_segmentation(members(sample.folder / series.folder))
        assert marked.series_uid == series.mask_of
        plan = next(plan for plan in SERIES if series_uid(plan) == series.mask_of)
        truth = scan_mask(load_head(plan.subject.lesion), plan.grid, plan.subject.traits)
        inverse = np.linalg.inv(plan.grid.affine_ras())
        voxels = np.rint(marked.points_mm @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
        found = np.zeros_like(truth)
        found[tuple(voxels.T)] = True
        assert np.array_equal(found, truth)
        print(f"sample {series.folder}: marked_voxels={len(voxels)} slices={int(truth.any(axis=(1, 2)).sum())}")


def _corners(affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The eight corners of a grid in RAS+, sorted: the same for two grids that only count their axes differently."""
    indices = np.array([(*index, 1) for index in itertools.product(*((0, size - 1) for size in shape))])
    corners = np.round((indices @ affine.T)[:, :3], 3)
    return np.asarray(corners[np.lexsort(corners.T)])


def test_sample_is_read_as_its_summary_promises(sample: SampleSummary) -> None:
    for series in sample.series:
        files = members(sample.folder / series.folder)
        if series.modality != "MR":
            continue
        if series.expected_reject is not None:
            with pytest.raises(RejectedInput) as refused:
                read_series(files)
            assert refused.value.code is series.expected_reject
            continue
        images = read_series(files)
        (read,) = images.volumes
        assert images.series_uid == series.series_uid
        assert images.file_rejects == ()
        assert plane_of(read.volume.affine)[0] is series.plane
        assert read.volume.voxels.shape[0] == series.slices
        assert (read.gaps, read.duplicates, read.uneven, read.sheared) == (0, 0, False, False)
