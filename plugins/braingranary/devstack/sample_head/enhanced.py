"""An enhanced multi-frame MR file: the whole volume in one object, geometry in functional groups.

Written as DICOM PS3.3 A.36 (Enhanced MR Image IOD) asks, as far as a reader of anatomy looks: dimensions, stack
positions, shared pixel measures and orientation, a position for each frame.
"""

from __future__ import annotations

from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from braingranary.devstack.sample_head.acquire import scan
from braingranary.devstack.sample_head.head import Head
from braingranary.devstack.sample_head.headers import (
    TRANSFER_SYNTAX,
    add_patient_and_study,
    add_pixels,
    add_series,
    decimal,
    image_class,
    new_file,
    orientation,
    uid,
)
from braingranary.devstack.sample_head.plan import SeriesPlan

STACK_ID = "1"


def enhanced_file(plan: SeriesPlan, head: Head) -> FileDataset:
    """The series as one multi-frame object."""
    pixels = scan(head, plan.grid, plan.contrast, plan.subject.traits, full_scale=plan.full_scale)
    file = new_file(image_class(plan), uid(plan.key, 1), TRANSFER_SYNTAX[plan.encoding])
    add_patient_and_study(file, plan)
    add_series(file, plan)
    file.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    file.InstanceNumber = 1
    file.AcquisitionNumber = 1
    visit = plan.subject.visit.strftime("%Y%m%d")
    file.AcquisitionDateTime = f"{visit}09{plan.number % 60:02d}00"
    file.AcquisitionDuration = 240.0
    file.PixelPresentation = "MONOCHROME"
    file.VolumetricProperties = "VOLUME"
    file.VolumeBasedCalculationTechnique = "NONE"
    file.ComplexImageComponent = "MAGNITUDE"
    file.AcquisitionContrast = plan.contrast.name[:2]
    file.PulseSequenceName = plan.contrast.sequence_name
    file.MRAcquisitionType = "3D"
    file.ContentQualification = "RESEARCH"
    file.BurnedInAnnotation = "NO"
    file.LossyImageCompression = "00"
    file.PresentationLUTShape = "IDENTITY"
    file.NumberOfFrames = plan.grid.slices
    _add_dimensions(file, plan)
    file.SharedFunctionalGroupsSequence = Sequence([_shared_groups(plan)])
    file.PerFrameFunctionalGroupsSequence = Sequence(
        [_frame_groups(plan, index, visit) for index in range(plan.grid.slices)]
    )
    add_pixels(file, pixels, plan)
    return file


def plane_measures(plan: SeriesPlan) -> Dataset:
    """Pixel spacing, thickness and slice spacing, as an item of PixelMeasuresSequence."""
    return item(
        PixelSpacing=[decimal(plan.grid.pixel_mm)] * 2,
        SliceThickness=decimal(plan.grid.thickness_mm),
        SpacingBetweenSlices=decimal(plan.grid.spacing_mm),
    )


def plane_position(plan: SeriesPlan, index: int) -> Dataset:
    """Position of slice `index`, as an item of PlanePositionSequence."""
    return item(ImagePositionPatient=[decimal(float(part)) for part in plan.grid.position_lps(index)])


def item(**attributes: object) -> Dataset:
    """A sequence item with these attributes, by keyword."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def _add_dimensions(file: FileDataset, plan: SeriesPlan) -> None:
    organization = uid(plan.key, "dimensions")
    file.DimensionOrganizationSequence = Sequence([item(DimensionOrganizationUID=organization)])
    file.DimensionOrganizationType = "3D"
    file.DimensionIndexSequence = Sequence(
        item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=Tag(keyword),
            FunctionalGroupPointer=Tag("FrameContentSequence"),
        )
        for keyword in ("StackID", "InStackPositionNumber")
    )


def _shared_groups(plan: SeriesPlan) -> Dataset:
    contrast = plan.contrast
    timing = item(
        RepetitionTime=contrast.repetition_time_ms,
        FlipAngle=contrast.flip_angle_deg,
        EchoTrainLength=1,
        RFEchoTrainLength=0,
        GradientEchoTrainLength=1,
    )
    modifier = item(InversionRecovery="YES", InversionTimes=[contrast.inversion_time_ms], Spoiling="RF")
    return item(
        PixelMeasuresSequence=Sequence([plane_measures(plan)]),
        PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=orientation(plan))]),
        FrameAnatomySequence=Sequence([item(FrameLaterality="U", AnatomicRegionSequence=Sequence([_brain_code()]))]),
        PixelValueTransformationSequence=Sequence([item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")]),
        MRTimingAndRelatedParametersSequence=Sequence([timing]),
        MREchoSequence=Sequence([item(EffectiveEchoTime=contrast.echo_time_ms)]),
        MRModifierSequence=Sequence([modifier]),
        MRAveragesSequence=Sequence([item(NumberOfAverages=1.0)]),
    )


def _frame_groups(plan: SeriesPlan, index: int, visit: str) -> Dataset:
    moment = f"{visit}09{plan.number % 60:02d}00"
    content = item(
        FrameAcquisitionNumber=1,
        FrameAcquisitionDateTime=moment,
        FrameReferenceDateTime=moment,
        FrameAcquisitionDuration=240.0,
        StackID=STACK_ID,
        InStackPositionNumber=index + 1,
        TemporalPositionIndex=1,
        DimensionIndexValues=[1, index + 1],
    )
    frame_type = item(
        FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"],
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast=plan.contrast.name[:2],
    )
    window = item(WindowCenter=decimal(plan.full_scale * 0.4), WindowWidth=decimal(plan.full_scale * 0.8))
    return item(
        FrameContentSequence=Sequence([content]),
        PlanePositionSequence=Sequence([plane_position(plan, index)]),
        MRImageFrameTypeSequence=Sequence([frame_type]),
        FrameVOILUTSequence=Sequence([window]),
    )


def _brain_code() -> Dataset:
    return item(CodeValue="12738006", CodingSchemeDesignator="SCT", CodeMeaning="Brain")
