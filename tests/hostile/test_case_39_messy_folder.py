"""Case 39: a folder of DICOM as laboratories keep it. Every series in it is catalogued or rejected with a code."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    SegmentationStorage,
)

from braingranary.devstack.sample_archive.index import FolderIndex
from braingranary.errors import Code
from braingranary.settings import StoreSettings
from tests.browser import sample
from tests.fixtures.archive import add_series
from tests.fixtures.dicom_factory import SERIES_UID, Scan, classic_dataset, written

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

HEAD = {"slices": 6, "rows": 48, "columns": 48}
"""The size of every series here that shows something."""


def add_document(folder: Path, number: int, modality: str, sop_class: str, **elements: Any) -> str:
    """A series of one file without an image; returns its SeriesInstanceUID."""
    scan = Scan(series_uid=f"{SERIES_UID}.{number}")
    dataset = classic_dataset(scan, 0)
    for keyword in ("PixelData", "Rows", "Columns", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    dataset.Modality, dataset.SOPClassUID = modality, sop_class
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    target = folder / f"{modality}-{number}.dcm"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(written(dataset, scan))
    return scan.series_uid


def messy_folder(folder: Path, elsewhere: Path) -> tuple[set[str], dict[str, Code]]:
    """Fill `folder`; returns the UIDs of the series to be shown, and the code by UID of those that nobody can show."""
    mixed = folder / "Mixed"
    shown = {
        add_series(folder, 1, collection="Mixed", **HEAD),
        add_series(folder, 2, collection="Mixed", header={"PatientID": None}, **HEAD),
        add_series(folder, 3, collection="Mixed", header={"PatientID": ""}, **HEAD),
        add_series(folder, 4, collection="Gzipped", **HEAD),
        add_series(elsewhere, 5, collection="Linked", **HEAD),
    }
    for path in (folder / "Gzipped" / "series-4").iterdir():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    (folder / "Linked").symlink_to(elsewhere / "Linked")
    (mixed / "circle").symlink_to(folder)
    (mixed / "to-nowhere.dcm").symlink_to(elsewhere / "gone.dcm")
    refused = {
        add_series(folder, 6, collection="Mixed", header={"Modality": "CT", "SOPClassUID": CTImageStorage}, **HEAD): (
            Code.MODALITY_UNSUPPORTED
        ),
        add_document(mixed, 7, "SR", EnhancedSRStorage, CompletionFlag="COMPLETE"): Code.MODALITY_UNSUPPORTED,
        add_document(mixed, 8, "SEG", SegmentationStorage, SegmentationType="BINARY"): Code.GEOMETRY_MISSING,
        add_document(mixed, 9, "DOC", EncapsulatedPDFStorage, EncapsulatedDocument=b"%PDF-1.7\n"): (
            Code.MODALITY_UNSUPPORTED
        ),
    }
    # What is no DICOM at all is no series.
    (mixed / "notes.dcm").write_text("a text named .dcm")
    (mixed / "empty.dcm").touch()
    (mixed / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (mixed / "broken.dcm.gz").write_bytes(b"\x1f\x8b broken")
    with zipfile.ZipFile(mixed / "exported.zip", "w") as exported:
        exported.writestr("readme.txt", "a zip")
    return shown, refused


def test_case_39_every_series_of_a_messy_folder_is_catalogued_or_rejected(
    postgres_dsn: str, s3_settings: StoreSettings, tmp_path: Path
) -> None:
    shown, refused = messy_folder(tmp_path / "scans", tmp_path / "elsewhere")
    assert set(FolderIndex(tmp_path / "scans").series) == shown | refused.keys()
    sample.fill_from_folder(tmp_path / "scans", postgres_dsn, s3_settings)
    with psycopg.connect(postgres_dsn) as connection:
        catalogued = {uid for (uid,) in connection.execute("SELECT series_uid FROM series")}
        rejects: dict[str, str] = dict(connection.execute("SELECT series_uid, code FROM reject").fetchall())
    assert catalogued == shown
    assert rejects == refused
    print(f"case 39 messy folder: crashes=0 catalogued={len(catalogued)} rejected={len(rejects)}")
