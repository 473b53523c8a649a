"""Case 11: a DICOM file that is a program too (CVE-2019-11687): the preamble is ignored and never leaves raw/."""

from __future__ import annotations

import numpy as np
import pytest

from braingranary.dicom.reader import read_series
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.series import normalize_series
from tests.fixtures.dicom_factory import SERIES_UID, SYNTAXES, Scan, classic_series
from tests.unit.normalization import phantom

PROGRAMS = {
    "PE": b"MZ\x90\x00\x03\x00\x00\x00",
    "ELF": b"\x7fELF\x02\x01\x01\x00",
    "script": b"#!/bin/sh\nexit 1\n",
    "Mach-O": b"\xcf\xfa\xed\xfe\x07\x00\x00\x01",
}


@pytest.mark.hostile
def test_read_series_program_in_the_preamble_never_leaves_and_pixels_stay() -> None:
    polyglots_out = 0
    for syntax in SYNTAXES:
        plain = classic_series(Scan(syntax=syntax))
        want = read_series(plain)
        for head in PROGRAMS.values():
            preamble = head.ljust(128, b"\xcc")
            got = read_series([(name, preamble + data[128:]) for name, data in plain])
            assert np.array_equal(want.volumes[0].volume.voxels, got.volumes[0].volume.voxels)
            assert got.header == want.header
            made = normalize_series(got, phantom.receipt_of(SERIES_UID, b"zip"), DEFAULT_PROFILE)
            left = [made.sidecar.to_json(), *(pack.data for pack in made.packs)]
            polyglots_out += any(preamble in data or data.startswith(head) for data in left)
    print(f"case 11 preamble polyglot {len(SYNTAXES) * len(PROGRAMS)} series: polyglots_out={polyglots_out}")
    assert polyglots_out == 0
