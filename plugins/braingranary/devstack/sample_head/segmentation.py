"""The tumour's mask as a DICOM SEG series: binary, one frame for every slice that holds tumour.

Written as DICOM PS3.3 A.51 (Segmentation IOD) asks: it stands in a series of its own, has the image series' frame of
reference and geometry, and names the very images it was drawn on.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from braingranary.devstack.sample_head.enhanced import item, plane_measures, plane_position
from braingranary.devstack.sample_head.headers import (
    add_patient_and_study,
    image_class,
    new_file,
    orientation,
    series_uid,
    uid,
)
from braingranary.devstack.sample_head.plan import SeriesPlan

MASK_SERIES_OFFSET: Final = 1000
"""SeriesNumber of a mask is its image series' plus this."""


def mask_series_uid(plan: SeriesPlan) -> str:
    """SeriesInstanceUID of the mask that belongs to an image series."""
    return uid(plan.key, "mask-series")


def segmentation_file(plan: SeriesPlan, mask: NDArray[np.bool_]) -> FileDataset:
    """The mask, shape (slices, rows, columns) on the image series' grid, as one SEG object."""
    frames = [int(index) for index in np.flatnonzero(mask.any(axis=(1, 2)))]
    file = new_file(SegmentationStorage, uid(plan.key, "mask"), ExplicitVRLittleEndian)
    add_patient_and_study(file, plan)
    file.Modality = "SEG"
    file.SeriesInstanceUID = mask_series_uid(plan)
    file.SeriesNumber = plan.number + MASK_SERIES_OFFSET
    file.SeriesDate = file.ContentDate = plan.subject.visit.strftime("%Y%m%d")
    file.SeriesTime = file.ContentTime = "100000"
    file.SeriesDescription = f"Segmentation of {plan.description}"
    file.BodyPartExamined = "BRAIN"
    file.Manufacturer = "BrainGranary"
    file.ManufacturerModelName = "sample head"
    file.DeviceSerialNumber = "1"
    file.SoftwareVersions = "1"
    file.InstanceNumber = 1
    file.ImageType = ["DERIVED", "PRIMARY"]
    file.ContentLabel = "TUMOUR"
    file.ContentDescription = "synthetic tumour: core and rim"
    file.ContentCreatorName = ""
    file.BurnedInAnnotation = "NO"
    file.LossyImageCompression = "00"
    file.SegmentationType = "BINARY"
    file.SegmentSequence = Sequence([_segment()])
    file.ReferencedSeriesSequence = Sequence([_referenced_series(plan)])
    _add_dimensions(file, plan)
    shared = item(
        PixelMeasuresSequence=Sequence([plane_measures(plan)]),
        PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=orientation(plan))]),
        SegmentIdentificationSequence=Sequence([item(ReferencedSegmentNumber=1)]),
    )
    file.SharedFunctionalGroupsSequence = Sequence([shared])
    file.PerFrameFunctionalGroupsSequence = Sequence([_frame_groups(plan, n, index) for n, index in enumerate(frames)])
    _add_pixels(file, mask[frames])
    return file


def _add_pixels(file: FileDataset, frames: NDArray[np.bool_]) -> None:
    file.NumberOfFrames = len(frames)
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.Rows, file.Columns = frames.shape[1:]
    file.BitsAllocated = file.BitsStored = 1
    file.HighBit = file.PixelRepresentation = 0
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    file.PixelData = packed + b"\0" * (len(packed) % 2)
    file["PixelData"].VR = "OB"


def _add_dimensions(file: FileDataset, plan: SeriesPlan) -> None:
    organization = uid(plan.key, "mask-dimensions")
    file.DimensionOrganizationSequence = Sequence([item(DimensionOrganizationUID=organization)])
    pointers = (
        ("ReferencedSegmentNumber", "SegmentIdentificationSequence"),
        ("ImagePositionPatient", "PlanePositionSequence"),
    )
    file.DimensionIndexSequence = Sequence(
        item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=Tag(keyword),
            FunctionalGroupPointer=Tag(group),
        )
        for keyword, group in pointers
    )


def _segment() -> Dataset:
    return item(
        SegmentNumber=1,
        SegmentLabel="Neoplasm",
        SegmentDescription="synthetic tumour",
        SegmentAlgorithmType="AUTOMATIC",
        SegmentAlgorithmName="sample head",
        SegmentedPropertyCategoryCodeSequence=Sequence(
            [_code("49755003", "SCT", "Morphologically Abnormal Structure")]
        ),
        SegmentedPropertyTypeCodeSequence=Sequence([_code("108369006", "SCT", "Neoplasm")]),
    )


def _referenced_series(plan: SeriesPlan) -> Dataset:
    instances = Sequence(_reference(plan, index) for index in range(plan.grid.slices))
    return item(SeriesInstanceUID=series_uid(plan), ReferencedInstanceSequence=instances)


def _reference(plan: SeriesPlan, index: int) -> Dataset:
    return item(ReferencedSOPClassUID=image_class(plan), ReferencedSOPInstanceUID=uid(plan.key, index + 1))


def _frame_groups(plan: SeriesPlan, number: int, index: int) -> Dataset:
    source = _reference(plan, index)
    source.PurposeOfReferenceCodeSequence = Sequence(
        [_code("121322", "DCM", "Source image for image processing operation")]
    )
    derivation = item(
        SourceImageSequence=Sequence([source]),
        DerivationCodeSequence=Sequence([_code("113076", "DCM", "Segmentation")]),
    )
    return item(
        FrameContentSequence=Sequence([item(DimensionIndexValues=[1, number + 1])]),
        PlanePositionSequence=Sequence([plane_position(plan, index)]),
        DerivationImageSequence=Sequence([derivation]),
    )


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
