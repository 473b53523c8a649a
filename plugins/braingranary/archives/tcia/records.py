"""Answers of NBIA parsed into rows, and rows turned into SeriesRecord: every field optional, nothing trusted.

Goes in: the body of an answer (JSON, or the CSV of getSeriesMetadata). Comes out: SeriesRecords whose UIDs are as the
archive wrote them (`storage.keys.checked_uid` judges them later). Values that do not fit their field become None; a
body that is neither a list of records nor empty is TransientFailure(ARCHIVE_ANSWER_INVALID), never "nothing found".
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from braingranary.errors import Code, TransientFailure
from braingranary.records import Json, SeriesRecord, Species

NBIA_DATE: Final = "%m-%d-%Y"
TEXT_CHARS_MAX: Final = 1024
UNKNOWN: Final = "unknown"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_AGE: Final = re.compile(r"(\d{1,3})([DWMY])\Z", re.ASCII)
_YEARS_A_UNIT: Final = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}

# Collections whose subjects are not people, by the collections' own pages; everything else is taken as human.
SPECIES_OF_COLLECTION: Final[Mapping[str, Species]] = {
    "ICDC-Glioma": Species.DOG,
    "Mouse-Astrocytoma": Species.MOUSE,
    "Mouse-Mammary": Species.MOUSE,
    "PDMR-292921-168-R": Species.MOUSE,
    "PDMR-425362-245-T": Species.MOUSE,
    "PDMR-521955-158-R4": Species.MOUSE,
    "PDMR-833975-119-R": Species.MOUSE,
    "PDMR-997537-175-T": Species.MOUSE,
    "PDMR-BL0293-F563": Species.MOUSE,
    "PDMR-Texture-Analysis": Species.MOUSE,
    "Lung Phantom": Species.PHANTOM,
    "Phantom FDA": Species.PHANTOM,
    "QIBA CT-1C": Species.PHANTOM,
    "QIBA-CT-Liver-Phantom": Species.PHANTOM,
    "QIN PET Phantom": Species.PHANTOM,
    "RIDER PHANTOM MRI": Species.PHANTOM,
    "RIDER PHANTOM PET-CT": Species.PHANTOM,
    "CC-Radiomics-Phantom": Species.PHANTOM,
    "CC-Radiomics-Phantom-2": Species.PHANTOM,
    "CC-Radiomics-Phantom-3": Species.PHANTOM,
}

# getSeriesMetadata answers with names of its own.
_METADATA_NAMES: Final[Mapping[str, str]] = {
    "Series Instance UID": "SeriesInstanceUID",
    "Series ID": "SeriesInstanceUID",
    "Study Instance UID": "StudyInstanceUID",
    "Study UID": "StudyInstanceUID",
    "Patient ID": "PatientID",
    "Subject ID": "PatientID",
    "Patient Sex": "PatientSex",
    "Patient Age": "PatientAge",
    "Collection Name": "Collection",
    "Protocol Name": "ProtocolName",
    "Study Date": "StudyDate",
    "Study Description": "StudyDesc",
    "Series Date": "SeriesDate",
    "Series Description": "SeriesDescription",
    "Series Number": "SeriesNumber",
    "Body Part Examined": "BodyPartExamined",
    "Annotations Flag": "AnnotationsFlag",
    "Manufacturer Model Name": "ManufacturerModelName",
    "Software Versions": "SoftwareVersions",
    "Number of images": "ImageCount",
    "Image Count": "ImageCount",
    "File Size (Bytes)": "FileSize",
    "Max Submission Timestamp": "MaxSubmissionTimestamp",
    "License Name": "LicenseName",
    "License URL": "LicenseURI",
    "License URI": "LicenseURI",
    "Data Description URI": "DataDescriptionURI",
    "Date Released": "DateReleased",
    "Released Status": "ReleasedStatus",
    "3rd Party Analysis": "ThirdPartyAnalysis",
    "Third Party Analysis": "ThirdPartyAnalysis",
}
_EXTRA: Final = (
    "AdmittingDiagnosisDescription",
    "AnnotationsFlag",
    "MaxSubmissionTimestamp",
    "ReleasedStatus",
    "Site",
    "ThirdPartyAnalysis",
)


# A CSV header must hold one of each: a sentence with a comma and the word SeriesInstanceUID in it is an error text.
_CSV_SERIES_COLUMNS: Final = frozenset(("SeriesInstanceUID", "Series Instance UID", "Series ID"))
_CSV_OTHER_COLUMNS: Final = frozenset(
    ("Modality", "PatientID", "Patient ID", "Subject ID", "Collection", "Collection Name")
)


def parse_rows(body: bytes) -> list[Mapping[str, Any]]:
    """The rows of a metadata answer, a JSON array of objects or CSV with a header.

    Args:
        body: The whole answer, UTF-8 with or without a byte order mark. An empty one is how NBIA says "none found".

    Returns:
        One mapping a record; empty values of CSV are left out.

    Raises:
        TransientFailure: ARCHIVE_ANSWER_INVALID for anything else, such as an error text or a page of a proxy.
    """
    text = body.decode("utf-8-sig", "replace").strip()
    if not text:
        return []
    if text.startswith("<"):
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "a page instead of an answer")
    return _json_rows(text) if text.startswith(("[", "{")) else _csv_rows(text)


def _json_rows(text: str) -> list[Mapping[str, Any]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "the answer is not JSON") from error
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "the answer is not a list of records")
    return value


def _csv_rows(text: str) -> list[Mapping[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        columns = frozenset(reader.fieldnames or ())
        rows = list(reader)
    except csv.Error as error:
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "neither JSON nor CSV") from error
    if columns.isdisjoint(_CSV_SERIES_COLUMNS) or columns.isdisjoint(_CSV_OTHER_COLUMNS):
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "neither JSON nor CSV of series")
    if any(None in row.values() for row in rows):
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "a CSV row is shorter than its header")
    return [{name: value for name, value in row.items() if name and value} for row in rows]


def series_record(row: Mapping[str, Any], *, archive: str, source_url: str | None = None) -> SeriesRecord:
    """The record of one row under either set of names."""
    named = {_METADATA_NAMES.get(name, name): value for name, value in row.items()}
    collection = _text(named.get("Collection")) or UNKNOWN
    return SeriesRecord(
        archive=archive,
        collection=collection,
        series_uid=_uid(named.get("SeriesInstanceUID")),
        study_uid=_uid(named.get("StudyInstanceUID")),
        subject_id=_text(named.get("PatientID")) or UNKNOWN,
        modality=_text(named.get("Modality")) or UNKNOWN,
        species=SPECIES_OF_COLLECTION.get(collection, Species.HUMAN),
        image_count=_count(named.get("ImageCount")),
        total_bytes=_count(named.get("FileSize")),
        series_date=nbia_date(named.get("SeriesDate")),
        series_description=_text(named.get("SeriesDescription")),
        series_number=_count(named.get("SeriesNumber")),
        protocol_name=_text(named.get("ProtocolName")),
        body_part=_text(named.get("BodyPartExamined")),
        study_date=nbia_date(named.get("StudyDate")),
        study_description=_text(named.get("StudyDesc")),
        sex=_text(named.get("PatientSex")),
        age_years=age_years(named.get("PatientAge")),
        manufacturer=_text(named.get("Manufacturer")),
        manufacturer_model=_text(named.get("ManufacturerModelName")),
        software_versions=_text(named.get("SoftwareVersions")),
        released=nbia_date(named.get("DateReleased")),
        license_name=_text(named.get("LicenseName")),
        license_url=_text(named.get("LicenseURI")),
        citation_url=_text(named.get("DataDescriptionURI")),
        source_url=source_url,
        extra={name: value for name in _EXTRA if (value := _plain(named.get(name))) is not None},
    )


def nbia_date(value: object) -> date | None:
    """A date from MM-DD-YYYY (getSeries), YYYY-MM-DD, or either with a time behind it."""
    if not isinstance(value, str):
        return None
    for form in (NBIA_DATE, "%Y-%m-%d"):
        try:
            return datetime.strptime(value.strip()[:10], form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    return None


def age_years(value: object) -> float | None:
    """Years from a DICOM age string such as 057Y, 018M, 003W (PS3.5 table 6.2-1)."""
    match = _AGE.match(value.strip()) if isinstance(value, str) else None
    return round(int(match[1]) * _YEARS_A_UNIT[match[2]], 3) if match else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    text = _CONTROL.sub(" ", str(value).encode("utf-8", "replace").decode()).strip()
    return text[:TEXT_CHARS_MAX] or None


def _uid(value: object) -> str:
    """As it is, so that a hostile one is seen for what it is; bounded, so that it cannot fill the memory."""
    return value.strip(" ")[:TEXT_CHARS_MAX] if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**53 else None


def _plain(value: object) -> Json:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str) and value in {"True", "False"}:  # the CSV of getSeriesMetadata knows no booleans
        return value == "True"
    return value if isinstance(value, int | float) else _text(value)
