"""Case 11: a DICOM file that is a program too. The preamble never leaves, the pixels stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

from braingranary.dicom.guard import Preamble, preamble_of, with_zeroed_preamble
from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from tests.fixtures.dicom_factory import SYNTAXES, Scan, classic_file

PROGRAMS = {
    "PE": b"MZ\x90\x00\x03\x00\x00\x00",
    "ELF": b"\x7fELF\x02\x01\x01\x00",
    "script": b"#!/bin/sh\nexit 1\n",
    "Mach-O": b"\xcf\xfa\xed\xfe\x07\x00\x00\x01",
}


@pytest.mark.hostile
def test_with_zeroed_preamble_no_program_leaves_and_pixels_stay() -> None:
    out = 0
    for syntax in SYNTAXES:
        plain = classic_file(Scan(syntax=syntax))
        for head in PROGRAMS.values():
            polyglot = head.ljust(128, b"\xcc") + plain[128:]
            assert preamble_of(polyglot) is Preamble.EXECUTABLE
            cleaned = with_zeroed_preamble(polyglot)
            out += preamble_of(cleaned) is not Preamble.EMPTY
            assert cleaned[128:] == plain[128:]
            want, got = (read_series([("1.dcm", data)]).volumes[0].volume.voxels for data in (polyglot, cleaned))
            assert np.array_equal(want, got)
    print(f"case 11 preamble polyglot {len(SYNTAXES) * len(PROGRAMS)} files: polyglots_out={out}")
    assert out == 0


def test_with_zeroed_preamble_no_dicom_is_rejected() -> None:
    with pytest.raises(RejectedInput) as caught:
        with_zeroed_preamble(PROGRAMS["PE"].ljust(200, b"\0"))
    assert caught.value.code is Code.NOT_DICOM


def test_preamble_of_tells_usual_ones() -> None:
    plain = classic_file()
    assert preamble_of(plain) is Preamble.EMPTY
    assert preamble_of(b"II*\0".ljust(128, b"\0") + plain[128:]) is Preamble.TIFF
    assert preamble_of(b"odd".ljust(128, b"\0") + plain[128:]) is Preamble.OTHER
    assert preamble_of(plain[132:]) is Preamble.ABSENT
