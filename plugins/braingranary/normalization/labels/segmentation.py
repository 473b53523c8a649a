"""A DICOM segmentation (SEG) to points in the patient: the centres of all voxels that it marks as tumour.

Read as PS3.3 A.51 lays it out: binary or fractional native frames, plane position and orientation by frame or shared.
Only segments whose property code or label names a tumour count; a SEG that marks nothing but organs gives no points.
Goes in: the files of the SEG series. Comes out: the referenced series and points. Fails with RejectedInput. The guard
of `dicom` walks every file before pydicom parses it, so that no claim of a hostile file is believed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from braingranary.dicom.limits import DEFAULT_LIMITS, Limits
from braingranary.dicom.walk import WalkedFile, walk_file
from braingranary.errors import Code, RejectedInput
from braingranary.storage import keys

# SNOMED CT: neoplasm, malignant neoplasm (primary, secondary), mass, lesion, glioma, meningioma, schwannoma; and the
# SRT codes of the first ones, which older files carry.
TUMOR_CODES: Final = frozenset(
    {
        "108369006",
        "367651003",
        "372087000",
        "128462008",
        "4147007",
        "52988006",
        "393564001",
        "302820008",
        "985004",
        "M-80003",
        "M-80006",
        "M-8FFFF",
        "M-03000",
        "M-01100",
    }
)
_TUMOR_WORDS: Final = re.compile(
    r"tumou?r|neoplas|lesion|glioma|blastoma|meningioma|schwannoma|metasta|\bgtv\b|enhancing", re.IGNORECASE
)
_POINTS_MAX: Final = 50_000_000  # 1.2 GB of coordinates: no tumour of any archive has a hundredth of that


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Segmentation:
    """What one segmentation marks."""

    series_uid: str
    """The image series it was drawn on."""
    points_mm: NDArray[np.float64]
    """Centres of the marked voxels, shape (points, 3), RAS+ millimetres; may be empty."""


def read_segmentation(files: Iterable[tuple[str, bytes]], *, limits: Limits = DEFAULT_LIMITS) -> Segmentation:
    """The tumour that the files of one SEG series mark; raises RejectedInput."""
    series_uids: set[str] = set()
    points: list[NDArray[np.float64]] = []
    with disable_value_validation():  # its warnings would write header values to the log
        for _, data in files:
            dataset = _parsed(walk_file(data, limits))
            series_uids.add(_referenced_series(dataset))
            points.extend(_points(dataset, _frames(dataset, limits)))
    if len(series_uids) != 1:
        code = Code.SERIES_MIXED if series_uids else Code.SERIES_EMPTY
        raise RejectedInput(code, f"the segmentation refers to {len(series_uids)} series")
    joined = np.concatenate(points) if points else np.empty((0, 3))
    return Segmentation(series_uid=series_uids.pop(), points_mm=joined)


def _parsed(walked: WalkedFile) -> Dataset:
    """The whole data set: the walk has proven depth, count and lengths, so that a general parser may follow them."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(walked.data), force=True)
        if dataset.file_meta.TransferSyntaxUID.is_deflated or dataset.file_meta.TransferSyntaxUID.is_compressed:
            raise RejectedInput(Code.TRANSFER_SYNTAX_UNSUPPORTED, "a segmentation is read uncompressed only")
        if dataset.SOPClassUID != SegmentationStorage:
            raise RejectedInput(Code.MODALITY_UNSUPPORTED, "the file is no segmentation object")
        for _ in dataset.iterall():  # values are decoded when they are first asked for: do it where it is caught
            pass
    except RejectedInput:
        raise
    except Exception as error:
        raise RejectedInput(Code.DICOM_CORRUPT, "the segmentation cannot be parsed") from error
    return dataset


def _referenced_series(dataset: Dataset) -> str:
    try:
        return keys.checked_uid(str(dataset.ReferencedSeriesSequence[0].SeriesInstanceUID))
    except (AttributeError, IndexError) as error:
        raise RejectedInput(Code.GEOMETRY_MISSING, "the segmentation does not say what it refers to") from error


def _frames(dataset: Dataset, limits: Limits) -> NDArray[np.bool_]:
    """All frames as bool, shape (frames, rows, columns), their claims held against the bytes that are there."""
    try:
        count, rows, columns = int(dataset.NumberOfFrames), int(dataset.Rows), int(dataset.Columns)
        bits, kind = int(dataset.BitsAllocated), str(dataset.SegmentationType)
        pixels: bytes = dataset.PixelData
        full = int(dataset.get("MaximumFractionalValue", 1))
    except (AttributeError, TypeError, ValueError) as error:
        raise RejectedInput(Code.PIXEL_DATA_MISSING, "the segmentation lacks pixels or their layout") from error
    voxels = count * rows * columns
    if min(count, rows, columns) < 1 or max(rows, columns) > limits.image_side_max:
        raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "the segmentation's frames have no sound size")
    if voxels > limits.pixel_bytes_file_max or bits not in (1, 8) or len(pixels) * 8 < voxels * bits:
        raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "the segmentation's pixels are not what it claims")
    raw = np.frombuffer(pixels, dtype=np.uint8)
    if bits == 1:
        marked = np.unpackbits(raw, count=voxels, bitorder="little").view(np.bool_)
    else:
        marked = raw[:voxels] * 2 > full if kind == "FRACTIONAL" else raw[:voxels] > 0
    return np.asarray(marked.reshape(count, rows, columns))


def _points(dataset: Dataset, frames: NDArray[np.bool_]) -> Iterator[NDArray[np.float64]]:
    wanted = _tumor_segments(dataset)
    total = 0
    try:
        shared = dataset.SharedFunctionalGroupsSequence[0]
        groups = dataset.PerFrameFunctionalGroupsSequence
        for frame, own in zip(frames, groups, strict=True):
            if _segment_number(own, shared) not in wanted:
                continue
            rows, columns = np.nonzero(frame)
            total += rows.size
            if total > _POINTS_MAX:
                raise RejectedInput(Code.SERIES_TOO_LARGE, "the segmentation marks more voxels than a head has")
            yield _located(own, shared, rows, columns)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise RejectedInput(Code.GEOMETRY_MISSING, "the segmentation's frames have no sound geometry") from error


def _tumor_segments(dataset: Dataset) -> frozenset[int]:
    numbers = set()
    for segment in dataset.get("SegmentSequence") or ():
        sequences = (
            segment.get("SegmentedPropertyTypeCodeSequence"),
            segment.get("SegmentedPropertyCategoryCodeSequence"),
        )
        codes = {str(code.get("CodeValue", "")) for sequence in sequences for code in sequence or ()}
        text = f"{segment.get('SegmentLabel', '')} {segment.get('SegmentDescription', '')}"
        if codes & TUMOR_CODES or _TUMOR_WORDS.search(text):
            numbers.add(int(segment.get("SegmentNumber", 0)))
    return frozenset(numbers)


def _segment_number(own: Dataset, shared: Dataset) -> int:
    return int(_group("SegmentIdentificationSequence", own, shared).ReferencedSegmentNumber)


def _located(own: Dataset, shared: Dataset, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """RAS+ millimetres of pixels of one frame (PS3.3 C.7.6.2.1.1, with x and y turned from LPS)."""
    position = np.array(_group("PlanePositionSequence", own, shared).ImagePositionPatient, dtype=np.float64)
    cosines = np.array(
        _group("PlaneOrientationSequence", own, shared).ImageOrientationPatient, dtype=np.float64
    ).reshape(2, 3)
    spacing = np.array(_group("PixelMeasuresSequence", own, shared).PixelSpacing, dtype=np.float64)
    points = (
        position + columns[:, np.newaxis] * (cosines[0] * spacing[1]) + rows[:, np.newaxis] * (cosines[1] * spacing[0])
    )
    if not np.isfinite(points).all():
        raise ValueError("not finite")
    return np.asarray(points * np.array([-1.0, -1.0, 1.0]))


def _group(name: str, own: Dataset, shared: Dataset) -> Dataset:
    sequence = own.get(name) or shared.get(name)
    item: Dataset = sequence[0]
    return item
