"""Headers of data elements: tag, value representation and length, in both layouts and with the faults that files have.

A header tells where a value lies; nothing here looks at the value. In: the bytes of a data set and a position. Out: the
header's parts. Fails with RejectedInput(DICOM_TRUNCATED) where the header itself runs past the end. Layouts after PS3.5
section 7.1; what is tolerated beyond them stands in docs/decisions/0017-what-the-dicom-walk-tolerates.md.
"""

from __future__ import annotations

import struct
from typing import Final

from braingranary.dicom import tags
from braingranary.errors import Code, RejectedInput

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
DELIMITER_GROUP: Final = 0xFFFE
"""Group of items, item ends and sequence ends, which have no value representation in either layout."""

# with a 16 bit length, and with two reserved bytes and a 32 bit length (PS3.5 tables 7.1-1 and 7.1-2)
SHORT_VRS: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
VR_NAMES: Final = {vr: vr.decode() for vr in SHORT_VRS | LONG_VRS}

_EXPLICIT: Final = {False: struct.Struct("<HH2sH").unpack_from, True: struct.Struct(">HH2sH").unpack_from}
_IMPLICIT: Final = {False: struct.Struct("<HHL").unpack_from, True: struct.Struct(">HHL").unpack_from}
_LENGTH: Final = {False: struct.Struct("<L").unpack_from, True: struct.Struct(">L").unpack_from}


def explicit_header(data: bytes, position: int, end: int, big_endian: bool) -> tuple[int, bytes, int, int]:
    """Read the header of one element in explicit VR.

    A value representation that is no two capitals is taken for the length of an element in implicit VR, which some
    writers mix in, or, where that length cannot be, for an unknown one. Unknown ones have a 16 bit length.

    Args:
        data: The data set.
        position: Where the header begins.
        end: Where the enclosing data set or item ends.
        big_endian: Byte order of the numbers.

    Returns:
        Tag, value representation (empty where unknown), length of the value and where it begins.
    """
    if position + 8 > end:
        raise truncated()
    group, element, vr, length = _EXPLICIT[big_endian](data, position)
    if vr in SHORT_VRS:
        return group << 16 | element, vr, length, position + 8
    if vr in LONG_VRS and group != DELIMITER_GROUP:
        if position + 12 > end:
            raise truncated()
        return group << 16 | element, vr, _LENGTH[big_endian](data, position + 8)[0], position + 12
    if not _are_capitals(vr):
        plain = implicit_header(data, position, end, big_endian)
        if group == DELIMITER_GROUP or plain[2] == UNDEFINED_LENGTH or plain[2] <= end - plain[3]:
            return plain
    return group << 16 | element, b"", length, position + 8


def implicit_header(data: bytes, position: int, end: int, big_endian: bool) -> tuple[int, bytes, int, int]:
    """Read the header of one element in implicit VR: as `explicit_header`, the dictionary tells SQ and nothing else."""
    if position + 8 > end:
        raise truncated()
    group, element, length = _IMPLICIT[big_endian](data, position)
    tag = group << 16 | element
    return tag, b"SQ" if tag in tags.SEQUENCES else b"", length, position + 8


def is_explicit(data: bytes, position: int, end: int, *, expected: bool, big_endian: bool) -> bool:
    """Tell the layout of the data set or item at `position` from its first element.

    Where explicit VR is `expected`, two capitals say that it is: as a length in implicit VR they would be more than
    16,000. Where it is not, only the very representation that the dictionary has for the element says so.
    """
    if position + 8 > end:
        return expected
    vr = data[position + 4 : position + 6]
    if expected:
        return _are_capitals(vr)
    return VR_NAMES.get(vr) == tags.representation(implicit_header(data, position, end, big_endian)[0])


def truncated() -> RejectedInput:
    """The error for a value or header that runs past the end."""
    return RejectedInput(Code.DICOM_TRUNCATED, "a value runs past the end of the file")


def _are_capitals(vr: bytes) -> bool:
    return vr.isalpha() and vr.isupper()
