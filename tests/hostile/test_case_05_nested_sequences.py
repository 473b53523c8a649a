"""Case 5: sequences within sequences. A typed rejection in milliseconds, no RecursionError."""

from __future__ import annotations

import time

import pytest

from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from tests.fixtures.dicom_factory import Scan, classic_file

UNDEFINED = b"\xff\xff\xff\xff"
PUBLIC = b"\x40\x00\x30\xa7"  # Content Sequence
PRIVATE = b"\x29\x00\x99\x10"


def nested(depth: int, tag: bytes, *, syntax: str, defined: bool) -> bytes:
    """A sound file with `depth` nested sequences before its pixel data."""
    vr = b"SQ\0\0" if syntax == "explicit" else b""
    if defined:
        value = b""
        for _ in range(depth):
            item = b"\xfe\xff\x00\xe0" + len(value).to_bytes(4, "little") + value
            value = tag + vr + len(item).to_bytes(4, "little") + item
    else:
        opening = tag + vr + UNDEFINED + b"\xfe\xff\x00\xe0" + UNDEFINED
        value = opening * depth + (b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)) * depth
    whole = classic_file(Scan(syntax=syntax))
    at = whole.index(b"\xe0\x7f\x10\x00")
    return whole[:at] + value + whole[at:]


@pytest.mark.hostile
@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("depth", [50, 200, 5000])
def test_read_series_nested_sequences_are_rejected_by_depth(depth: int, defined: bool, syntax: str) -> None:
    data = nested(depth, PUBLIC, syntax=syntax, defined=defined)
    begun = time.perf_counter()
    with pytest.raises(RejectedInput) as caught:
        read_series([("1.dcm", data)])
    elapsed_ms = (time.perf_counter() - begun) * 1000
    print(f"case 05 nested sequences {depth} {syntax} {'defined' if defined else 'undefined'}: ms={elapsed_ms:.2f}")
    assert caught.value.code is Code.DICOM_TOO_DEEP


@pytest.mark.hostile
@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_read_series_private_nesting_of_undefined_length_is_rejected(syntax: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        read_series([("1.dcm", nested(5000, PRIVATE, syntax=syntax, defined=False))])
    assert caught.value.code is Code.DICOM_TOO_DEEP


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("defined", [True, False])
def test_read_series_usual_nesting_is_read(defined: bool, syntax: str) -> None:
    images = read_series([("1.dcm", nested(6, PUBLIC, syntax=syntax, defined=defined))])
    assert images.volumes[0].volume.voxels.shape == (1, 16, 12)
