"""DICOM headers of the sample: complete enough that no reader has to guess, the same bytes on every build.

UIDs are `2.25.<number>` with the number of a version-5 UUID, so they are valid, need no registered root and depend on
names alone. Nobody's data is in them: subjects are invented and PatientName repeats the pseudonym, as archives do.
"""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np
from numpy.typing import NDArray
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
)

from braingranary.devstack.sample_head.plan import Encoding, Form, SeriesPlan
from braingranary.records import Plane

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "sample-head.braingranary")
IMPLEMENTATION_VERSION: Final = "BRAINGRANARY_1"
FRAME_OF_REFERENCE: Final = "frame-of-reference"
TRANSFER_SYNTAX: Final = {
    Encoding.EXPLICIT_LITTLE: ExplicitVRLittleEndian,
    Encoding.IMPLICIT_LITTLE: ImplicitVRLittleEndian,
    Encoding.EXPLICIT_BIG: ExplicitVRBigEndian,
    Encoding.JPEG_2000: JPEG2000Lossless,
}


def uid(*names: str | int) -> UID:
    """The UID that belongs to `names`, always the same."""
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(map(str, names))).int}")


def series_uid(plan: SeriesPlan) -> UID:
    """SeriesInstanceUID of a series of images."""
    return uid(plan.key)


def study_uid(plan: SeriesPlan) -> UID:
    """StudyInstanceUID of the subject's one visit."""
    return uid(plan.subject.collection, plan.subject.name, "visit")


def new_file(sop_class: UID, sop_instance: UID, transfer_syntax: UID) -> FileDataset:
    """An empty file with its meta header; the preamble is zeroed."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = sop_instance
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID = sop_class
    file.SOPInstanceUID = sop_instance
    return file


def add_patient_and_study(file: Dataset, plan: SeriesPlan) -> None:
    """Patient, study and equipment attributes, the same in every file of a visit."""
    subject, scanner = plan.subject, plan.subject.scanner
    file.SpecificCharacterSet = "ISO_IR 100"
    file.PatientName = subject.name
    file.PatientID = subject.name
    file.PatientBirthDate = ""
    file.PatientSex = subject.sex
    file.PatientAge = f"{subject.age_years:03d}Y"
    file.PatientIdentityRemoved = "YES"
    file.DeidentificationMethod = "invented subject"
    file.StudyInstanceUID = study_uid(plan)
    file.StudyDate = subject.visit.strftime("%Y%m%d")
    file.StudyTime = "090000"
    file.StudyID = "1"
    file.StudyDescription = "MR HEAD"
    file.AccessionNumber = ""
    file.ReferringPhysicianName = ""
    file.Manufacturer = scanner.manufacturer
    file.ManufacturerModelName = scanner.model
    file.SoftwareVersions = scanner.software.split("\\")
    file.InstitutionName = scanner.site
    file.FrameOfReferenceUID = uid(subject.collection, subject.name, FRAME_OF_REFERENCE)
    file.PositionReferenceIndicator = ""


def add_series(file: Dataset, plan: SeriesPlan) -> None:
    """Series attributes of an image series."""
    file.Modality = "MR"
    file.SeriesInstanceUID = series_uid(plan)
    file.SeriesNumber = plan.number
    file.SeriesDate = file.AcquisitionDate = file.ContentDate = plan.subject.visit.strftime("%Y%m%d")
    file.SeriesTime = file.AcquisitionTime = file.ContentTime = f"09{plan.number % 60:02d}00"
    file.SeriesDescription = file.ProtocolName = plan.description
    file.BodyPartExamined = "BRAIN"
    file.PatientPosition = "HFS"
    file.MagneticFieldStrength = plan.subject.scanner.tesla
    file.ImagingFrequency = round(42.577 * plan.subject.scanner.tesla, 4)
    file.ImagedNucleus = "1H"
    if plan.contrast.name == "T1CE":
        file.ContrastBolusAgent = "Gadolinium, simulated"


def add_physics(file: Dataset, plan: SeriesPlan) -> None:
    """MR attributes of a classic image."""
    contrast = plan.contrast
    file.ScanningSequence = list(contrast.scanning_sequence)
    file.SequenceVariant = ["SP", "MP"] if contrast.scanning_sequence[0] == "GR" else ["SK", "SP"]
    file.ScanOptions = "IR" if contrast.inversion_time_ms else "FAST_GEMS"
    file.MRAcquisitionType = "3D" if plan.grid.spacing_mm == plan.grid.thickness_mm else "2D"
    file.SequenceName = contrast.sequence_name
    file.EchoTime = contrast.echo_time_ms
    file.RepetitionTime = contrast.repetition_time_ms
    if contrast.inversion_time_ms is not None:
        file.InversionTime = contrast.inversion_time_ms
    file.FlipAngle = contrast.flip_angle_deg
    file.NumberOfAverages = 1
    file.EchoNumbers = 1
    file.EchoTrainLength = 1
    file.PixelBandwidth = 240
    file.PercentSampling = 100
    file.PercentPhaseFieldOfView = 100
    file.InPlanePhaseEncodingDirection = "ROW" if plan.grid.plane is Plane.SAGITTAL else "COL"


def decimal(value: float) -> str:
    """A number as DICOM's decimal string: at most 16 characters, no negative zero."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text[:16]


def orientation(plan: SeriesPlan) -> list[str]:
    """ImageOrientationPatient: directions of growing column and row index, LPS."""
    along_columns, along_rows, _ = plan.grid.directions_lps()
    return [decimal(float(part)) for part in (*along_columns, *along_rows)]


def add_pixels(file: FileDataset, pixels: NDArray[np.uint16], plan: SeriesPlan) -> None:
    """Image pixel attributes and the pixels, shape (rows, columns) or (frames, rows, columns), in the file's syntax."""
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.Rows, file.Columns = pixels.shape[-2:]
    file.BitsAllocated = 16
    file.BitsStored = plan.bits_stored
    file.HighBit = plan.bits_stored - 1
    file.PixelRepresentation = 0
    stored = np.minimum(pixels, (1 << plan.bits_stored) - 1)
    file.SmallestImagePixelValue = int(stored.min())
    file.LargestImagePixelValue = int(stored.max())
    little = file.file_meta.TransferSyntaxUID.is_little_endian
    file.PixelData = stored.astype("<u2" if little else ">u2").tobytes()
    file["PixelData"].VR = "OW"
    if file.file_meta.TransferSyntaxUID == JPEG2000Lossless:
        frames = stored.reshape(-1, file.Rows, file.Columns)
        file.PixelData = encapsulate([_jpeg_2000(frame, plan.bits_stored) for frame in frames])
        file["PixelData"].VR = "OB"
        file["PixelData"].is_undefined_length = True


def _jpeg_2000(frame: NDArray[np.uint16], bits_stored: int) -> bytes:
    return bytes(encode_array(frame, bits_stored=bits_stored, photometric_interpretation=2))


def image_class(plan: SeriesPlan) -> UID:
    """SOP class of the series' files."""
    return EnhancedMRImageStorage if plan.form is Form.ENHANCED else MRImageStorage
