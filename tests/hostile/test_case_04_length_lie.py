"""Case 4: pixel data that claim more, or hold less, than there is. Never a blank or half image."""

from __future__ import annotations

import pytest

from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from tests.fixtures.dicom_factory import Scan, classic_file, element

HEAD = b"\xe0\x7f\x10\x00OW\0\0"
SCAN = Scan()
PIXEL_BYTES = SCAN.rows * SCAN.columns * 2


def lies() -> dict[str, bytes]:
    """Files whose pixel data are not what they claim, by the lie."""
    whole = classic_file(SCAN)
    at = whole.index(HEAD)
    front, value = whole[:at], whole[at + 12 :]
    assert len(value) == PIXEL_BYTES

    def claiming(length: int, held: bytes) -> bytes:
        return front + HEAD + length.to_bytes(4, "little") + held

    return {
        "claims 4 GB, holds 2 bytes": claiming(0xFFFFFFF0, value[:2]),
        "claims all but undefined, holds 2 bytes": claiming(0xFFFFFFFE, value[:2]),
        "undefined length, holds 2 bytes": claiming(0xFFFFFFFF, value[:2]),
        "undefined length, holds native pixels": claiming(0xFFFFFFFF, value),
        "true claim, one byte short": claiming(PIXEL_BYTES, value[:-1]),
        "true claim, half": claiming(PIXEL_BYTES, value[: PIXEL_BYTES // 2]),
        "true claim, nothing": claiming(PIXEL_BYTES, b""),
        "claims and holds 2 bytes": claiming(2, value[:2]),
        "claims and holds nothing": claiming(0, b""),
        "claims and holds a row less": claiming(PIXEL_BYTES - 24, value[:-24]),
        "claims and holds a row more": claiming(PIXEL_BYTES + 24, value + value[:24]),
        "no pixel data": front,
        "cut within the element's head": front + HEAD[:6],
    }


def code_of(data: bytes) -> Code | None:
    """The code of the rejection, None where the file was accepted."""
    try:
        read_series([("1.dcm", data)])
    except RejectedInput as error:
        return error.code
    return None


@pytest.mark.hostile
def test_read_series_length_lies_are_never_accepted() -> None:
    codes = {lie: code_of(data) for lie, data in lies().items()}
    accepted = [lie for lie, code in codes.items() if code is None]
    print(f"case 04 length lie: false_accepts={len(accepted)} of {len(codes)}")
    assert accepted == []
    assert set(codes.values()) <= {Code.DICOM_TRUNCATED, Code.PIXEL_DATA_MISMATCH, Code.PIXEL_DATA_MISSING}


@pytest.mark.hostile
@pytest.mark.parametrize("cut", range(1, 40))
def test_read_series_file_cut_anywhere_is_rejected(cut: int) -> None:
    whole = classic_file(SCAN)
    with pytest.raises(RejectedInput):
        read_series([("1.dcm", whole[: len(whole) * cut // 40])])


@pytest.mark.hostile
@pytest.mark.parametrize("vr", ["UN", "OB", "UT"])
def test_read_series_element_before_the_pixels_claims_4_gb_is_truncated(vr: str) -> None:
    whole = classic_file(SCAN)
    at = whole.index(HEAD)
    lie = element(0x00291099, vr, b"", length=0xFFFFFFF0)
    assert code_of(whole[:at] + lie + whole[at:]) is Code.DICOM_TRUNCATED
