from __future__ import annotations

from datetime import date

import pytest

from braingranary.archives.tcia.records import age_years, nbia_date, series_record
from braingranary.records import Species


def test_series_record_empty_row_has_no_facts_and_no_uid() -> None:
    record = series_record({}, archive="tcia")
    assert (record.series_uid, record.study_uid, record.collection, record.subject_id) == ("", "", "unknown", "unknown")
    assert record.image_count is None
    assert record.released is None
    assert record.extra == {}


def test_series_record_get_series_row_fills_every_field() -> None:
    row = {
        "SeriesInstanceUID": "1.2.3",
        "StudyInstanceUID": "1.2",
        "Modality": "MR",
        "Collection": "ICDC-Glioma",
        "PatientID": "GLIOMA01",
        "PatientAge": "057Y",
        "SeriesNumber": 4,
        "ImageCount": 120,
        "FileSize": 63359688,
        "SeriesDate": "09-04-1994",
        "DateReleased": "11-22-2026",
        "LicenseName": "CC BY 4.0",
        "AnnotationsFlag": False,
        "Authorized": 1,
    }
    record = series_record(row, archive="tcia", source_url="https://archive.example/")
    assert record.species is Species.DOG
    assert record.series_date == date(1994, 9, 4)
    assert record.released == date(2026, 11, 22)
    assert (record.image_count, record.total_bytes, record.series_number) == (120, 63359688, 4)
    assert record.age_years == 57.0
    assert record.extra == {"AnnotationsFlag": False}


def test_series_record_metadata_names_mean_the_same() -> None:
    by_metadata = series_record(
        {"Series Instance UID": "1.2.3", "Patient ID": "P", "Number of images": "12", "File Size (Bytes)": "99.0"},
        archive="tcia",
    )
    by_series = series_record(
        {"SeriesInstanceUID": "1.2.3", "PatientID": "P", "ImageCount": 12, "FileSize": 99}, archive="tcia"
    )
    assert by_metadata == by_series


def test_series_record_hostile_values_are_cleaned_or_dropped() -> None:
    row = {
        "SeriesDescription": "T1\x00 \r\nx" + "y" * 5000,
        "ImageCount": "many",
        "FileSize": -1,
        "SeriesNumber": True,
        "StudyDate": 20260101,
        "Manufacturer": ["a"],
        "SeriesInstanceUID": 5,
    }
    record = series_record(row, archive="tcia")
    assert record.series_description is not None
    assert len(record.series_description) == 1024
    assert record.series_description.startswith("T1 ")
    assert record.series_description.isprintable()
    assert (record.image_count, record.total_bytes, record.series_number) == (None, None, None)
    assert (record.study_date, record.manufacturer, record.series_uid) == (None, None, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09-04-1994", date(1994, 9, 4)),
        ("1994-09-04", date(1994, 9, 4)),
        ("1994-09-04 00:00:00.0", date(1994, 9, 4)),
        ("13-04-1994", None),
        ("", None),
        (None, None),
    ],
)
def test_nbia_date_forms_are_read_or_none(text: str | None, expected: date | None) -> None:
    assert nbia_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("057Y", 57.0), ("018M", 1.5), ("026W", 0.498), ("57", None), ("xxxY", None), (None, None)]
)
def test_age_years_units_are_converted(text: str | None, expected: float | None) -> None:
    assert age_years(text) == expected
