"""Pixels of every file that pydicom decodes: equal here, or refused with the code that a table gives the file.

The files are those of pydicom's own wheel, of the package pydicom-data, and the real scans.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from braingranary.dicom import tags
from braingranary.dicom.limits import Limits
from braingranary.dicom.pixels import clean_into, pixel_format, read_frames
from braingranary.dicom.walk import walk_file
from braingranary.errors import Code, RejectedInput


class Reason(StrEnum):
    """Why a file that pydicom decodes is refused."""

    COLOUR = "samples of several colours"
    PALETTE = "samples are indices of a colour palette"
    ONE_BIT_MASK = "samples of one bit, eight in a byte"


CODES = {
    Reason.COLOUR: Code.PIXEL_FORMAT_UNSUPPORTED,
    Reason.PALETTE: Code.PIXEL_FORMAT_UNSUPPORTED,
    Reason.ONE_BIT_MASK: Code.PIXEL_FORMAT_UNSUPPORTED,
}

REFUSED = {
    "ExplVR_BigEnd.dcm": Reason.COLOUR,
    "GDCMJ2K_TextGBR.dcm": Reason.COLOUR,
    "SC_jpeg_no_color_transform.dcm": Reason.COLOUR,
    "SC_jpeg_no_color_transform_2.dcm": Reason.COLOUR,
    "SC_rgb.dcm": Reason.COLOUR,
    "SC_rgb_16bit.dcm": Reason.COLOUR,
    "SC_rgb_16bit_2frame.dcm": Reason.COLOUR,
    "SC_rgb_2frame.dcm": Reason.COLOUR,
    "SC_rgb_32bit.dcm": Reason.COLOUR,
    "SC_rgb_32bit_2frame.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_+eb+cr.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_+eb+cy+n1.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_+eb+cy+n2.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_+eb+cy+np.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_+eb+cy+s2.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_+eb+cy+s4.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_ebcr_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_ebcyn1_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_ebcyn2_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_ebcynp_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_ebcys2_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_dcmtk_ebcys4_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_expb.dcm": Reason.COLOUR,
    "SC_rgb_expb_16bit.dcm": Reason.COLOUR,
    "SC_rgb_expb_16bit_2frame.dcm": Reason.COLOUR,
    "SC_rgb_expb_2frame.dcm": Reason.COLOUR,
    "SC_rgb_expb_32bit.dcm": Reason.COLOUR,
    "SC_rgb_expb_32bit_2frame.dcm": Reason.COLOUR,
    "SC_rgb_gdcm2k_uncompressed.dcm": Reason.COLOUR,
    "SC_rgb_gdcm_KY.dcm": Reason.COLOUR,
    "SC_rgb_jls_lossy_line.dcm": Reason.COLOUR,
    "SC_rgb_jls_lossy_sample.dcm": Reason.COLOUR,
    "SC_rgb_jpeg.dcm": Reason.COLOUR,
    "SC_rgb_jpeg_app14_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_jpeg_dcmd.dcm": Reason.COLOUR,
    "SC_rgb_jpeg_dcmtk.dcm": Reason.COLOUR,
    "SC_rgb_jpeg_gdcm.dcm": Reason.COLOUR,
    "SC_rgb_jpeg_lossy_gdcm.dcm": Reason.COLOUR,
    "SC_rgb_rle.dcm": Reason.COLOUR,
    "SC_rgb_rle_16bit.dcm": Reason.COLOUR,
    "SC_rgb_rle_16bit_2frame.dcm": Reason.COLOUR,
    "SC_rgb_rle_2frame.dcm": Reason.COLOUR,
    "SC_rgb_rle_32bit.dcm": Reason.COLOUR,
    "SC_rgb_rle_32bit_2frame.dcm": Reason.COLOUR,
    "SC_rgb_small_odd.dcm": Reason.COLOUR,
    "SC_rgb_small_odd_big_endian.dcm": Reason.COLOUR,
    "SC_rgb_small_odd_jpeg.dcm": Reason.COLOUR,
    "SC_ybr_full_422_uncompressed.dcm": Reason.COLOUR,
    "SC_ybr_full_uncompressed.dcm": Reason.COLOUR,
    "US1_J2KI.dcm": Reason.COLOUR,
    "US1_J2KR.dcm": Reason.COLOUR,
    "US1_UNCI.dcm": Reason.COLOUR,
    "US1_UNCR.dcm": Reason.COLOUR,
    "color-pl.dcm": Reason.COLOUR,
    "color-px.dcm": Reason.COLOUR,
    "color3d_jpeg_baseline.dcm": Reason.COLOUR,
    "examples_jpeg2k.dcm": Reason.COLOUR,
    "examples_rgb_color.dcm": Reason.COLOUR,
    "examples_ybr_color.dcm": Reason.COLOUR,
    "OBXXXX1A.dcm": Reason.PALETTE,
    "OBXXXX1A_2frame.dcm": Reason.PALETTE,
    "OBXXXX1A_expb.dcm": Reason.PALETTE,
    "OBXXXX1A_expb_2frame.dcm": Reason.PALETTE,
    "OBXXXX1A_rle.dcm": Reason.PALETTE,
    "OBXXXX1A_rle_2frame.dcm": Reason.PALETTE,
    "examples_palette.dcm": Reason.PALETTE,
    "gdcm-US-ALOKA-16.dcm": Reason.PALETTE,
    "gdcm-US-ALOKA-16_big.dcm": Reason.PALETTE,
    "liver.dcm": Reason.ONE_BIT_MASK,
    "liver_1frame.dcm": Reason.ONE_BIT_MASK,
    "liver_expb.dcm": Reason.ONE_BIT_MASK,
    "liver_expb_1frame.dcm": Reason.ONE_BIT_MASK,
}

_GEOMETRY = {
    "ImagePositionPatient": tags.IMAGE_POSITION_PATIENT,
    "ImageOrientationPatient": tags.IMAGE_ORIENTATION_PATIENT,
    "PixelSpacing": tags.PIXEL_SPACING,
    "RescaleSlope": tags.RESCALE_SLOPE,
}
_NO_DICOM = frozenset((".gz", ".icc", ".dump", ".json", ".md", ".py", ".pyc", ".txt"))


def package_files() -> Iterator[Path]:
    """The files of both packages; those of pydicom-data where it is installed."""
    for package in ("pydicom", "data_store"):
        found = importlib.util.find_spec(package)
        if found is not None and found.origin is not None:
            folder = Path(found.origin).parent / "data"
            yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in _NO_DICOM)


def test_package_files_are_all_there() -> None:
    paths = [path.name for path in package_files()]
    assert len(paths) > 150
    if importlib.util.find_spec("data_store") is None:
        pytest.skip("pydicom-data is not installed: its files were not compared")
    assert REFUSED.keys() <= set(paths)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in package_files()])
def test_pixels_of_a_package_file_are_equal_or_refused_by_the_table(path: Path) -> None:
    assert_agrees(path)


@pytest.mark.realdata
@pytest.mark.parametrize("corpus", ["dicom", "dicom_more"])
def test_pixels_of_real_scans_are_equal(real_data: Path, corpus: str) -> None:
    paths = sorted(path for path in (real_data / corpus).rglob("*") if path.is_file())
    assert paths
    for path in paths:
        assert_agrees(path)


def assert_agrees(path: Path) -> None:
    """Compare one file; what pydicom cannot decode may be read here, and otherwise has a code too."""
    theirs, ours = decoded_by_pydicom(path), decoded(path.read_bytes())
    if theirs is None:
        return
    reason = REFUSED.get(path.name)
    if reason is not None:
        assert isinstance(ours, RejectedInput), "read, although the table says refused"
        assert ours.code is CODES[reason]
        assert reason is stated_reason(theirs[0])
        return
    assert not isinstance(ours, RejectedInput), f"{path.name}: {ours}"
    dataset, pixels = theirs
    found, geometry = ours
    assert np.array_equal(found, pixels.reshape(found.shape))
    for keyword, numbers in geometry.items():
        value = dataset.get(keyword)
        assert numbers == (() if value in (None, "") else tuple(map(float, np.atleast_1d(value)))), keyword


def stated_reason(dataset: pydicom.Dataset) -> Reason | None:
    """What the file itself says that makes it one of those we do not read."""
    if dataset.BitsAllocated == 1:
        return Reason.ONE_BIT_MASK
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return Reason.PALETTE
    return Reason.COLOUR if dataset.SamplesPerPixel == 3 else None


def decoded_by_pydicom(path: Path) -> tuple[pydicom.Dataset, NDArray[Any]] | None:
    """Data set and stored values, None where pydicom gives none."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True)
            return dataset, dataset.pixel_array
    except Exception:  # noqa: BLE001 - it raises whatever its plugins do
        return None
    finally:
        logging.disable(level)


def decoded(data: bytes) -> tuple[NDArray[Any], dict[str, tuple[float, ...]]] | RejectedInput:
    """Stored values of every frame and the elements of `_GEOMETRY`, or the rejection; anything else is raised."""
    try:
        walked = walk_file(data, Limits())
        form = pixel_format(walked, Limits())
        frames = read_frames(walked, form)
    except RejectedInput as error:
        return error
    pixels = np.empty((form.frames, form.rows, form.columns), form.dtype)
    for target, frame in zip(pixels, frames, strict=True):
        clean_into(target, frame, form)
    return pixels, {keyword: walked.elements.numbers(tag) for keyword, tag in _GEOMETRY.items()}
