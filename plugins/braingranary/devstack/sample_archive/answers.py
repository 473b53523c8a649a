"""The records an NBIA v4 server answers with: true field names and types, nulls left out, dates as MM-DD-YYYY.

Goes in: series of the index. Comes out: JSON-ready rows, and the CSV of getSeriesMetadata.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final, TypeAlias

from braingranary.devstack.sample_archive.index import Series

Row: TypeAlias = dict[str, str | int | bool]

NBIA_DATE: Final = "%m-%d-%Y"
_METADATA_COLUMNS: Final = {
    "Series Instance UID": "SeriesInstanceUID",
    "Study Instance UID": "StudyInstanceUID",
    "Patient ID": "PatientID",
    "Patient Sex": "PatientSex",
    "Patient Age": "PatientAge",
    "Collection Name": "Collection",
    "Site": "Site",
    "Modality": "Modality",
    "Protocol Name": "ProtocolName",
    "Study Date": "StudyDate",
    "Study Description": "StudyDesc",
    "Series Date": "SeriesDate",
    "Series Description": "SeriesDescription",
    "Series Number": "SeriesNumber",
    "Body Part Examined": "BodyPartExamined",
    "Annotations Flag": "AnnotationsFlag",
    "Manufacturer": "Manufacturer",
    "Manufacturer Model Name": "ManufacturerModelName",
    "Software Versions": "SoftwareVersions",
    "Number of images": "ImageCount",
    "File Size (Bytes)": "FileSize",
    "Max Submission Timestamp": "MaxSubmissionTimestamp",
    "License Name": "LicenseName",
    "License URL": "LicenseURI",
    "Data Description URI": "DataDescriptionURI",
    "Date Released": "DateReleased",
    "Released Status": "ReleasedStatus",
    "3rd Party Analysis": "ThirdPartyAnalysis",
}


def series_row(series: Series, released: date | None) -> Row:
    """The record of getSeries; `released` stands for the files' own date."""
    header = series.header
    day = (released or series.released).strftime(NBIA_DATE)
    row: dict[str, str | int | bool | None] = {
        "SeriesInstanceUID": series.uid,
        "StudyInstanceUID": header.get("StudyInstanceUID"),
        "Modality": header.get("Modality"),
        "ProtocolName": header.get("ProtocolName"),
        "SeriesDate": _nbia_date(header.get("SeriesDate")),
        "SeriesDescription": header.get("SeriesDescription"),
        "BodyPartExamined": header.get("BodyPartExamined"),
        "SeriesNumber": _whole(header.get("SeriesNumber")),
        "AnnotationsFlag": False,
        "Collection": series.collection,
        "Site": series.collection,
        "PatientID": header.get("PatientID"),
        "PatientSex": header.get("PatientSex"),
        "PatientAge": header.get("PatientAge"),
        "AdmittingDiagnosisDescription": header.get("AdmittingDiagnosesDescription"),
        "Manufacturer": header.get("Manufacturer"),
        "ManufacturerModelName": header.get("ManufacturerModelName"),
        "SoftwareVersions": header.get("SoftwareVersions"),
        "ImageCount": len(series.files),
        "MaxSubmissionTimestamp": day,
        "LicenseName": None,  # files do not tell their licence; `archive.json` of the collection may
        "LicenseURI": None,
        "DataDescriptionURI": None,
        "FileSize": series.size,
        "ReleasedStatus": "Yes",
        "DateReleased": day,
        "StudyDesc": header.get("StudyDescription"),
        "StudyDate": _nbia_date(header.get("StudyDate")),
        "ThirdPartyAnalysis": "NO",
        "Authorized": 1,
    }
    row.update({name: value for name, value in series.overrides.items() if name in row})
    return {name: value for name, value in row.items() if value is not None}


def license_text(series: Series) -> str | None:
    """The member LICENSE of the zip; None where no licence is known."""
    told = [str(series.overrides[name]) for name in ("LicenseName", "LicenseURI") if series.overrides.get(name)]
    return "".join(f"{line}\n" for line in told) or None


def collection_rows(rows: Iterable[Row]) -> list[Row]:
    """The answer of getCollectionValues."""
    return [{"Collection": name} for name in dict.fromkeys(str(row["Collection"]) for row in rows)]


def patient_rows(rows: Iterable[Row]) -> list[Row]:
    """The answer of getPatient; the field is `PatientId` there."""
    patients: dict[tuple[str, str], Row] = {}
    for row in rows:
        if "PatientID" in row:
            named: Row = {"PatientId": row["PatientID"], "PatientName": row["PatientID"]}
            known: Row = {name: row[name] for name in ("PatientSex", "Collection") if name in row}
            patients.setdefault((str(row["Collection"]), str(row["PatientID"])), {**named, **known, "Phantom": "NO"})
    return list(patients.values())


def study_rows(rows: Iterable[Row]) -> list[Row]:
    """The answer of getPatientStudy."""
    studies: dict[str, Row] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        uid = str(row.get("StudyInstanceUID", ""))
        counts[uid] += 1
        names = {"StudyDesc": "StudyDescription"}
        wanted = ("Collection", "PatientID", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyDate", "StudyDesc")
        studies.setdefault(uid, {names.get(name, name): row[name] for name in wanted if name in row})
    return [{**row, "SeriesCount": counts[uid]} for uid, row in studies.items()]


def metadata_csv(rows: Iterable[Row]) -> str:
    """The answer of getSeriesMetadata: CSV under names of its own, empty where there is nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_METADATA_COLUMNS)
    count = 0
    for row in rows:
        writer.writerow([row.get(name, "") for name in _METADATA_COLUMNS.values()])
        count += 1
    return text.getvalue() if count else ""


def matching(rows: Iterable[Row], wanted: Mapping[str, str]) -> list[Row]:
    """The rows whose fields equal `wanted`."""
    return [row for row in rows if all(str(row.get(name, "")) == value for name, value in wanted.items())]


def _nbia_date(dicom: str | None) -> str | None:
    try:
        return datetime.strptime(dicom, "%Y%m%d").strftime(NBIA_DATE) if dicom else None  # noqa: DTZ007 - a date
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None
