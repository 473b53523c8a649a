"""Contact sheets of the real series, plane by plane, hold the hashes of the sheets that were looked at.

Looked at means: upright, patient's right on the viewer's left (axial, coronal) and nose on the left (sagittal), head
whole, slices in order, no bands, deep brain not black. Only hashes are kept; the pixels stay with their publishers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.record import check, encoded, members, sheet_hash

pytestmark = pytest.mark.realdata

SERIES = (
    "tcia_vs_seg_001",
    "philips_mprage_sag",
    "siemens_t1_sag_hfs",
    "siemens_xa30_enhanced_t1",
    "transfer_syntaxes",
)


def test_contact_sheets_of_real_series_are_those_that_were_looked_at(real_data: Path) -> None:
    hashes = {}
    for name in SERIES:
        for pack in encoded(members(real_data / "dicom" / name)).packs:
            hashes[f"{name}/{pack.plane}"] = sheet_hash(name, pack)
    check("contact_sheets_real", hashes)
