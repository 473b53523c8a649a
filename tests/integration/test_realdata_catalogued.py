"""Real scans are catalogued with the right plane, slices, spacing and order: the facts are written down here.

`first_mm` is dcm2niix's; the others were checked against the first header of each series and dcm2niix's shapes. The
independent proof is test_realdata_voxels.py. All of it is catalogued; none of the real series is to be rejected. The
nine transfer-syntax files are one mosaic of 35 slices under nine SOP instance UIDs of one series: as a series they are
one volume, its repeats dropped and counted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from braingranary.dicom.reader import read_series
from braingranary.imaging.planes import plane_of
from braingranary.imaging.series import SeriesImages
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.series import NormalizedSeries, normalize_series
from braingranary.records import Plane, Receipt, SeriesRecord

pytestmark = pytest.mark.realdata


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one folder of real files is."""

    folder: str
    plane: Plane
    obliquity_deg: float
    slices: int
    rows: int
    spacing_mm: tuple[float, float, float]
    sequence: str | None
    manufacturer: str
    first_mm: float
    """Position of the first slice along R, A or S at the image's centre: the lowest one."""
    duplicates: int = 0
    planes_shown: frozenset[Plane] = frozenset(Plane)


FACTS = (
    Fact(
        folder="tcia_vs_seg_001",
        plane=Plane.AXIAL,
        obliquity_deg=0.0,
        slices=120,
        rows=512,
        spacing_mm=(1.5, 0.41015625, 0.41015625),
        sequence="T1CE",
        manufacturer="Siemens",
        first_mm=-92.001,
        planes_shown=frozenset({Plane.AXIAL}),  # 1.5 mm is more than twice 0.41 mm
    ),
    Fact(
        folder="philips_mprage_sag",
        plane=Plane.SAGITTAL,
        obliquity_deg=4.13,
        slices=170,
        rows=256,
        spacing_mm=(1.0, 1.0, 1.0),
        sequence="T1",
        manufacturer="Philips",
        first_mm=-85.510,
    ),
    Fact(
        folder="siemens_t1_sag_hfs",
        plane=Plane.SAGITTAL,
        obliquity_deg=0.0,
        slices=35,
        rows=256,
        spacing_mm=(4.8, 1.015625, 1.015625),
        sequence="T1",
        manufacturer="Siemens",
        first_mm=-81.600,
        planes_shown=frozenset({Plane.SAGITTAL}),
    ),
    Fact(
        folder="siemens_xa30_enhanced_t1",
        plane=Plane.SAGITTAL,
        obliquity_deg=0.0,
        slices=96,
        rows=128,
        spacing_mm=(2.0, 2.0, 2.0),
        sequence="T1",
        manufacturer="Siemens",
        first_mm=-89.576,
    ),
    Fact(
        folder="transfer_syntaxes",
        plane=Plane.AXIAL,
        obliquity_deg=6.2,
        slices=35,
        rows=64,
        spacing_mm=(3.6, 3.25, 3.25),
        sequence=None,
        manufacturer="Siemens",
        first_mm=-73.742,
        duplicates=8 * 35,
    ),
)


def _files(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def _receipt(images: SeriesImages, files: list[tuple[str, bytes]]) -> Receipt:
    record = SeriesRecord(
        archive="tcia",
        collection="Real",
        series_uid=images.series_uid or "",
        study_uid=images.study_uid or "",
        subject_id="real",
        modality="MR",
    )
    return Receipt(
        record=record,
        raw_key=f"raw/tcia/Real/{images.series_uid}/{'0' * 64}.zip",
        sha256=hashlib.sha256(b"".join(data for _, data in files)).hexdigest(),
        zip_bytes=0,
        image_count=len(files),
        image_bytes=sum(len(data) for _, data in files),
        md5_verified=0,
        staged_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _normalized(folder: Path) -> NormalizedSeries:
    files = _files(folder)
    images = read_series(iter(files))
    return normalize_series(images, _receipt(images, files), DEFAULT_PROFILE)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.folder)
def test_real_series_is_read_with_the_facts_of_its_scan(fact: Fact, real_data: Path) -> None:
    images = read_series(iter(_files(real_data / "dicom" / fact.folder)))
    assert images.file_rejects == ()
    assert len(images.volumes) == 1
    read = images.volumes[0]
    plane, obliquity = plane_of(read.volume.affine)
    assert plane is fact.plane
    assert obliquity == pytest.approx(fact.obliquity_deg, abs=0.05)
    assert read.volume.voxels.shape == (fact.slices, fact.rows, fact.rows)
    assert read.volume.spacing_mm == pytest.approx(fact.spacing_mm, abs=1e-4)
    assert (read.gaps, read.duplicates, read.uneven, read.sheared) == (0, fact.duplicates, False, False)
    assert np.all(np.diff(read.positions_mm) > 0)
    assert images.header.sequence == fact.sequence
    assert images.header.manufacturer == fact.manufacturer


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.folder)
def test_real_series_gives_rows_that_tell_the_same(fact: Fact, real_data: Path) -> None:
    made = _normalized(real_data / "dicom" / fact.folder)
    (series,) = made.rows.rows("series")
    assert (series["plane"], series["slice_count"], series["volume_count"]) == (str(fact.plane), fact.slices, 1)
    assert (series["slice_gaps"], series["slice_duplicates"]) == (0, fact.duplicates)
    packs = {str(pack["plane"]): pack for pack in made.rows.rows("packs")}
    assert set(packs) == {str(plane) for plane in fact.planes_shown}
    acquired = [row for row in made.rows.rows("slices") if row["plane"] == str(fact.plane)]
    assert [row["slice_index"] for row in acquired] == list(range(fact.slices))
    positions = [float(str(row["position_mm"])) for row in acquired]
    assert positions == sorted(positions)
    assert positions[0] == pytest.approx(fact.first_mm, abs=0.01)
    assert made.rows.rows("rejects") == ()
