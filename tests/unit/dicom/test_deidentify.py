"""The allow-list: typed values come through, text never does."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset

from braingranary.dicom.reader import read_series
from braingranary.imaging.series import SeriesHeader
from braingranary.records import Plane
from tests.fixtures.dicom_factory import Scan, classic_series, enhanced_series

TEXT_VRS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
MARK = "ZQXMARK"
SPECIFIC_CHARACTER_SET = 0x00080005


def header_of(**values: Any) -> SeriesHeader:
    return read_series(classic_series(Scan(slices=1, header=values))).header


def mark_every_text(_: int, dataset: Dataset) -> None:
    for number, (vr, multiplicity, *_rest) in DicomDictionary.items():
        if (
            vr in TEXT_VRS
            and number >> 16 not in (0, 2, 4)
            and number != SPECIFIC_CHARACTER_SET
            and dataset.get(number) is None
        ):
            value: Any = MARK
            if multiplicity not in ("1", "1-n", "1-2", "1-3"):
                value = [MARK] * 2
            dataset.add_new(number, vr, value)
    for keyword in ("SeriesDescription", "Manufacturer", "ImageType", "ScanningSequence"):
        setattr(dataset, keyword, [MARK, MARK] if keyword == "ImageType" else f"SIEMENS t1 ax {MARK}")
    dataset.PatientAge = "999Q"
    block = dataset.private_block(0x0029, f"{MARK} CREATOR", create=True)
    block.add_new(0x10, "LO", MARK)


@pytest.mark.filterwarnings("ignore")
def test_series_header_marked_text_in_every_tag_is_absent() -> None:
    images = read_series(classic_series(each=mark_every_text))
    told = repr(images.header) + repr(images.volumes) + repr(images.file_rejects)
    assert MARK not in told
    assert MARK.lower() not in told.lower()
    # and the derived words are there: the texts were read
    assert (images.header.manufacturer, images.header.sequence) == ("Siemens", "T1CE")


@pytest.mark.filterwarnings("ignore")
def test_series_header_identifying_values_are_absent() -> None:
    secrets = {
        "PatientName": "Doe^Jane",
        "PatientID": "4711-0815",
        "PatientBirthDate": "19330405",
        "InstitutionName": "Saint Nowhere",
        "StationName": "MR77",
        "DeviceSerialNumber": "998877",
        "AccessionNumber": "A5544",
        "SeriesDescription": "t2 tse cor Jane Doe",
        "ProtocolName": "Doe 998877",
        "SoftwareVersions": "syngo MR E11 Doe",
        "ManufacturerModelName": "Skyra Doe",
    }
    header = header_of(**secrets)
    for secret in ("Doe", "Jane", "4711", "1933", "Nowhere", "MR77", "9988", "A5544"):
        assert secret not in repr(header)
    assert (header.sequence, header.text_plane) == ("T2", Plane.CORONAL)
    assert (header.manufacturer_model, header.software_versions) == ("Skyra", "syngo MR E11")


def test_series_header_typed_values_come_through() -> None:
    header = header_of(
        PatientSex="F",
        PatientAge="034Y",
        MagneticFieldStrength=3.0,
        InversionTime=900.0,
        BodyPartExamined="HEAD",
        MRAcquisitionType="3D",
        PixelBandwidth=130.0,
        PatientPosition="HFS",
        ContrastBolusAgent="Gadovist 7 ml",
    )
    assert (header.sex, header.age_years, header.field_strength_tesla) == ("F", 34.0, 3.0)
    assert (header.inversion_time_ms, header.echo_time_ms, header.flip_angle_deg) == (900.0, 4.5, 12.0)
    assert (header.body_part, header.acquisition_type) == ("HEAD", "3D")
    assert (header.study_date, header.series_number) == (date(2020, 1, 2), 3)
    assert (header.contrast, header.sequence) == (True, "T1CE")
    assert header.extra == {"PixelBandwidth": 130.0, "PatientPosition": ["HFS"]}


def test_series_header_enhanced_groups_give_timing() -> None:
    header = read_series(enhanced_series()).header
    assert (header.echo_time_ms, header.slice_thickness_mm) == (4.5, 3.0)


@pytest.mark.parametrize(
    ("age", "years"), [("095Y", 90.0), ("089Y", 89.0), ("006M", 0.5), ("", None), ("old", None), ("12Y", None)]
)
@pytest.mark.filterwarnings("ignore")
def test_series_header_age_is_years_and_capped(age: str, years: float | None) -> None:
    assert header_of(PatientAge=age).age_years == years


@pytest.mark.parametrize(("value", "tesla"), [(1.5, 1.5), (15000.0, 1.5), (0.0, None), (-3.0, None), (99.0, None)])
def test_series_header_field_strength_is_tesla(value: float, tesla: float | None) -> None:
    assert header_of(MagneticFieldStrength=value).field_strength_tesla == tesla


@pytest.mark.filterwarnings("ignore")
def test_series_header_impossible_date_is_none() -> None:
    assert header_of(SeriesDate="20209999").series_date is None
