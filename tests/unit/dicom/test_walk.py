"""Files with faults in what geometry and pixels do not need are read; docs/decisions tells what is tolerated."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from braingranary.dicom import tags
from braingranary.dicom.limits import Limits
from braingranary.dicom.pixels import pixel_format, read_frames
from braingranary.dicom.reader import read_series
from braingranary.dicom.walk import WalkedFile, walk_file
from braingranary.errors import Code, RejectedInput
from tests.fixtures.dicom_factory import (
    SYNTAXES,
    Scan,
    classic_dataset,
    classic_file,
    element,
    enhanced_series,
    written,
)
from tests.fixtures.dicom_fuzz import tolerated

SCAN = Scan()
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4)
REFERENCED = 0x00081140  # Referenced Image Sequence: stands before everything that is needed
PRIVATE = 0x00091001
ICON = 0x00880200
PIXELS = b"\xe0\x7f\x10\x00"
FRAGMENT = bytes(1 << 21)
"""Taken for elements it would be more of them than a file may have."""


def implicit(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    """One element in implicit VR."""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(value: bytes, *, length: int | None = None) -> bytes:
    """One item of a sequence."""
    return ITEM + struct.pack("<L", len(value) if length is None else length) + value


def with_element(data: bytes, blob: bytes, *, before: bytes = b"\x08\x00\x60\x00") -> bytes:
    """The file with `blob` put before the element whose header begins with `before`: Modality where none is given."""
    at = data.index(before)
    return data[:at] + blob + data[at:]


def walked_whole(data: bytes, scan: Scan = SCAN) -> WalkedFile:
    """The walk of a file that must give every kept element and the pixels of slice 0."""
    walked = walk_file(data, Limits())
    assert walked.elements.text(tags.MODALITY) == "MR"
    assert walked.elements.numbers(tags.IMAGE_POSITION_PATIENT) == scan.origin
    (frame,) = read_frames(walked, pixel_format(walked, Limits()))
    assert np.array_equal(frame, scan.pixels(0))
    return walked


def refused(data: bytes, limits: Limits | None = None) -> Code:
    with pytest.raises(RejectedInput) as caught:
        walk_file(data, limits or Limits())
    return caught.value.code


UID = element(0x00081155, "UI", b"1.2.3\0")
IMPLICIT_UID = implicit(0x00081155, b"1.2.3\0")

EXPLICIT_FAULTS = {
    # implicit VR inside explicit files
    "items in implicit VR": element(REFERENCED, "SQ", item(IMPLICIT_UID)),
    "open items in implicit VR": element(
        REFERENCED, "SQ", item(IMPLICIT_UID + ITEM_END, length=UNDEFINED) + SEQUENCE_END, length=UNDEFINED
    ),
    "items in implicit VR, then explicit": element(REFERENCED, "SQ", item(IMPLICIT_UID) + item(UID)),
    "nested sequence in implicit VR": element(
        REFERENCED, "SQ", item(implicit(REFERENCED, item(IMPLICIT_UID) * 2) + IMPLICIT_UID)
    ),
    "private element in implicit VR": implicit(PRIVATE, b"12345678"),
    "sequence in implicit VR": implicit(REFERENCED, item(IMPLICIT_UID) + SEQUENCE_END, length=UNDEFINED),
    # unknown elements
    "explicit items in open UN": element(PRIVATE, "UN", item(UID) + SEQUENCE_END, length=UNDEFINED),
    "implicit items in open UN": element(PRIVATE, "UN", item(IMPLICIT_UID) + SEQUENCE_END, length=UNDEFINED),
    "no items in UN": element(PRIVATE, "UN", b"\1" * 20),
    # delimiters
    "sequence end behind a defined length": element(REFERENCED, "SQ", item(UID)) + SEQUENCE_END,
    "item end behind a defined length": element(REFERENCED, "SQ", item(UID) + ITEM_END + item(UID)),
    "both ends behind defined lengths": element(REFERENCED, "SQ", item(UID) + ITEM_END) + SEQUENCE_END,
    "item end behind a defined length in an open sequence": element(
        REFERENCED, "SQ", item(UID) + ITEM_END + item(UID) + SEQUENCE_END, length=UNDEFINED
    ),
    "item end inside a defined length": element(REFERENCED, "SQ", item(UID + ITEM_END)),
    "sequence end inside a defined length": element(REFERENCED, "SQ", item(UID) + SEQUENCE_END),
    "item end in the data set": ITEM_END,
    "delimiters with a length": element(
        REFERENCED,
        "SQ",
        item(UID + ITEM_END[:4] + b"\4\0\0\0", length=UNDEFINED) + SEQUENCE_END[:4] + b"\7\0\0\0",
        length=UNDEFINED,
    ),
    # what nobody needs and cannot be read
    "item that claims too much": element(REFERENCED, "SQ", item(UID, length=4000)),
    "element that claims too much": element(REFERENCED, "SQ", item(element(0x00081155, "UI", b"1", length=400))),
    "padding behind an item's elements": element(REFERENCED, "SQ", item(UID + bytes(6))),
    "padding behind items": element(REFERENCED, "SQ", item(UID) + bytes(6)),
    "noise for items": element(REFERENCED, "SQ", bytes(range(200))),
    "noise for an item": element(REFERENCED, "SQ", item(bytes(range(200))) + SEQUENCE_END, length=UNDEFINED),
    # value representations that no edition of the standard has
    "two capitals": element(PRIVATE, "ZZ", b"1234"),
    "question marks": element(PRIVATE, "??", b"1234"),
    "blanks": element(PRIVATE, "  ", b"1234"),
    # encapsulated values below the top
    "encapsulated icon": element(
        ICON, "SQ", item(PIXELS + b"OB\0\0\xff\xff\xff\xff" + item(b"") + item(FRAGMENT) + SEQUENCE_END)
    ),
    "encapsulated icon in an open item": element(
        ICON,
        "SQ",
        item(
            PIXELS + b"OB\0\0\xff\xff\xff\xff" + item(b"") + item(SEQUENCE_END) + SEQUENCE_END + UID + ITEM_END,
            length=UNDEFINED,
        )
        + SEQUENCE_END,
        length=UNDEFINED,
    ),
    "encapsulated private value": element(PRIVATE, "OB", item(b"") + item(FRAGMENT) + SEQUENCE_END, length=UNDEFINED),
}


@pytest.mark.parametrize("fault", EXPLICIT_FAULTS)
def test_walk_file_fault_in_an_unneeded_element_of_an_explicit_file_is_stepped_over(fault: str) -> None:
    walked_whole(with_element(classic_file(SCAN), EXPLICIT_FAULTS[fault]))


IMPLICIT_FAULTS = {
    "items in explicit VR": implicit(REFERENCED, item(UID)),
    "open items in explicit VR": implicit(
        REFERENCED, item(UID + ITEM_END, length=UNDEFINED) + SEQUENCE_END, length=UNDEFINED
    ),
    "private sequence of undefined length": implicit(PRIVATE, item(IMPLICIT_UID) + SEQUENCE_END, length=UNDEFINED),
    "ends behind defined lengths": implicit(REFERENCED, item(IMPLICIT_UID) + ITEM_END) + SEQUENCE_END,
    "item that claims too much": implicit(REFERENCED, item(IMPLICIT_UID, length=4000)),
    "encapsulated icon": implicit(ICON, item(PIXELS + b"\xff\xff\xff\xff" + item(b"") + item(FRAGMENT) + SEQUENCE_END)),
}


@pytest.mark.parametrize("fault", IMPLICIT_FAULTS)
def test_walk_file_fault_in_an_unneeded_element_of_an_implicit_file_is_stepped_over(fault: str) -> None:
    walked_whole(with_element(classic_file(Scan(syntax="implicit")), IMPLICIT_FAULTS[fault]))


def test_walk_file_fault_in_a_needed_sequence_is_refused() -> None:
    (_, data), *_ = enhanced_series()
    at = data.index(b"\x00\x52\x30\x92SQ")
    lie = data[: at + 12] + ITEM + b"\xf0\xff\xff\x7f" + data[at + 20 :]
    assert refused(lie) in (Code.DICOM_TRUNCATED, Code.DICOM_CORRUPT)


GRID_SLICES = 0x00651051  # United Imaging


@pytest.mark.parametrize("layout", ["implicit", "as UN"])
def test_walk_file_private_sequence_that_is_read_is_found_without_its_representation(layout: str) -> None:
    if layout == "implicit":
        data, blob = classic_file(Scan(syntax="implicit")), implicit(GRID_SLICES, item(IMPLICIT_UID) * 2)
    else:
        data, blob = classic_file(SCAN), element(GRID_SLICES, "UN", item(IMPLICIT_UID) * 2)
    walked = walked_whole(with_element(data, blob, before=PIXELS))
    assert len(walked.elements.items(GRID_SLICES)) == 2


def test_walk_file_private_element_in_a_sequences_place_is_stepped_over() -> None:
    blob = implicit(GRID_SLICES, bytes(range(99)) + b"\0")
    walked = walked_whole(with_element(classic_file(Scan(syntax="implicit")), blob, before=PIXELS))
    assert walked.elements.items(GRID_SLICES) == ()


def test_walk_file_delimiters_and_padding_in_a_needed_sequence_are_stepped_over() -> None:
    groups = element(tags.PLANE_POSITION_SEQUENCE, "SQ", item(b"")) + SEQUENCE_END
    value = item(groups) + ITEM_END + item(groups + ITEM_END) + item(groups + bytes(6)) + SEQUENCE_END + bytes(4)
    blob = element(tags.PER_FRAME_FUNCTIONAL_GROUPS, "SQ", value) + SEQUENCE_END
    walked = walked_whole(with_element(classic_file(SCAN), blob, before=PIXELS))
    found = walked.elements.items(tags.PER_FRAME_FUNCTIONAL_GROUPS)
    assert [len(each.items(tags.PLANE_POSITION_SEQUENCE)) for each in found] == [1, 1, 1]


def test_walk_file_limits_hold_inside_what_is_stepped_over() -> None:
    deep = UID
    for _ in range(40):
        deep = element(REFERENCED, "SQ", item(deep))
    assert refused(with_element(classic_file(), deep)) is Code.DICOM_TOO_DEEP
    many = element(REFERENCED, "SQ", item(UID) * 2000)
    assert refused(with_element(classic_file(), many), Limits(element_count_max=1000)) is Code.DICOM_TOO_LARGE


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if name != "deflated"])
@pytest.mark.parametrize("front", ["meta", "prefix and meta"])
def test_walk_file_without_preamble_is_read_by_its_meta_group(syntax: str, front: str) -> None:
    data = classic_file(Scan(syntax=syntax))
    walked = walked_whole(data[132:] if front == "meta" else data[128:])
    assert walked.syntax.uid == SYNTAXES[syntax]


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big_endian"])
def test_walk_file_without_transfer_syntax_is_read_by_its_look(syntax: str) -> None:
    data = classic_file(Scan(syntax=syntax))
    uid = SYNTAXES[syntax].encode() + b"\0" * (len(SYNTAXES[syntax]) % 2)
    named = element(0x00020010, "UI", uid)
    assert walked_whole(data.replace(named, b"", 1)).syntax.uid == SYNTAXES[syntax]
    start = data.index(named) + len(named)
    while data[start : start + 2] == b"\2\0":
        start += 8 + int.from_bytes(data[start + 6 : start + 8], "little")
    assert walked_whole(data[start:]).syntax.uid == SYNTAXES[syntax]


def test_walk_file_meta_group_in_implicit_vr_is_read() -> None:
    data = classic_file(Scan(syntax="big_endian"))
    start = 144 + int.from_bytes(data[140:144], "little")
    meta = implicit(0x00020000, bytes(4)) + implicit(0x00020010, SYNTAXES["big_endian"].encode() + b"\0")
    walked_whole(data[:132] + meta + data[start:])


def test_walk_file_compressed_file_in_implicit_vr_is_read() -> None:
    """The named syntax is explicit, the elements are not, and the pixels are compressed all the same."""
    data = classic_file(Scan(syntax="jpeg_ls"))
    start = 144 + int.from_bytes(data[140:144], "little")
    at = data.index(PIXELS + b"OB")
    plain = classic_file(Scan(syntax="implicit"))
    plain_start = 144 + int.from_bytes(plain[140:144], "little")
    body = plain[plain_start : plain.index(PIXELS)] + PIXELS + data[at + 8 :]
    assert walked_whole(data[:start] + body).syntax.uid == SYNTAXES["jpeg_ls"]


def as_unknown(data: Dataset, tag: int, *, implicit_vr: bool) -> bytes:
    """Element `tag` of `data` in VR UN, its content in either layout."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, implicit_vr
    alone = Dataset()
    alone.add(data[tag])
    write_dataset(out, alone)
    return element(tag, "UN", out.getvalue()[8 if implicit_vr else 12 :])


@pytest.mark.parametrize("implicit_vr", [True, False])
def test_read_series_known_sequence_written_as_un_is_read(implicit_vr: bool) -> None:
    scan = Scan(slices=1)
    dataset = classic_dataset(scan, 0)
    groups = Dataset()
    for sequence, keyword in (
        ("PlanePositionSequence", "ImagePositionPatient"),
        ("PixelMeasuresSequence", "PixelSpacing"),
    ):
        inner = Dataset()
        setattr(inner, keyword, list(dataset[keyword].value))
        setattr(groups, sequence, Sequence([inner]))
        del dataset[keyword]
    orientation = Dataset()
    orientation.ImageOrientationPatient = list(scan.orientation)
    groups.PlaneOrientationSequence = Sequence([orientation])
    del dataset.ImageOrientationPatient
    dataset.NumberOfFrames = 1
    holder = Dataset()
    holder.PerFrameFunctionalGroupsSequence = Sequence([groups])
    blob = as_unknown(holder, tags.PER_FRAME_FUNCTIONAL_GROUPS, implicit_vr=implicit_vr)
    volume = read_series([("1.dcm", with_element(written(dataset, scan), blob, before=PIXELS))]).volumes[0].volume
    assert np.array_equal(volume.voxels[0], scan.pixels(0))
    assert volume.spacing_mm[1:] == scan.pixel_spacing


def test_walk_file_kept_element_of_unknown_representation_is_read_by_the_dictionary() -> None:
    data = classic_file(SCAN)
    rows = element(tags.ROWS, "US", struct.pack("<H", SCAN.rows))
    for vr in ("UN", "XX", "??"):
        assert data.count(rows) == 1
        walked_whole(data.replace(rows, element(tags.ROWS, vr, rows[8:])))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (b"1.5\\-2", (1.5, -2.0)),
        (b"1,5\\-2,25", (1.5, -2.25)),
        (b"1.5\\2\\", (1.5, 2.0)),
        (b" 1.5 \\2 \0", (1.5, 2.0)),
        (b"1,234.5\\2", ()),
        (b"1,2,3", ()),
        (b"1.5\\\\2", ()),
        (b"\\", ()),
        (b"wide", ()),
    ],
)
def test_numbers_decimal_strings_are_read_or_left_out_whole(text: bytes, numbers: tuple[float, ...]) -> None:
    spacing = b"\x28\x00\x30\x00DS"
    data = classic_file(SCAN)
    at = data.index(spacing)
    size = int.from_bytes(data[at + 6 : at + 8], "little")
    changed = data[:at] + element(tags.PIXEL_SPACING, "DS", text) + data[at + 8 + size :]
    assert walk_file(changed, Limits()).elements.numbers(tags.PIXEL_SPACING) == numbers


def test_tolerated_files_of_the_fuzzer_are_read() -> None:
    """They only lead the mutations into the tolerant branches where they are readable before."""
    for data in tolerated():
        assert np.array_equal(read_series([("1.dcm", data)]).volumes[0].volume.voxels[0], SCAN.pixels(0))
