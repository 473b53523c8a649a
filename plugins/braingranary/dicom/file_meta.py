"""The front of a DICOM file: preamble, file meta group and transfer syntax, present or not (PS3.10 section 7.1).

In: the bytes of one file. Out: its transfer syntax and where its data set begins. Fails with RejectedInput: NOT_DICOM,
DICOM_TRUNCATED, TRANSFER_SYNTAX_UNSUPPORTED.
"""

from __future__ import annotations

from typing import Final

from braingranary.dicom import tags
from braingranary.dicom.element_header import VR_NAMES, explicit_header, is_explicit, truncated
from braingranary.dicom.syntax import BIG_ENDIAN, EXPLICIT, IMPLICIT, SYNTAXES, Coding, TransferSyntax
from braingranary.errors import Code, RejectedInput

_PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"
_META_GROUP: Final = 0x0002
_FIRST_GROUPS: Final = frozenset((0x02, 0x04, 0x08, 0x10, 0x18, 0x20, 0x28))
"""Groups that a data set without any file meta begins with."""


def read_file_meta(data: bytes) -> tuple[TransferSyntax, int]:
    """Transfer syntax and start of the data set.

    Where the group names none, or there is no group, the first element's look decides. Some writers name one of the
    two native little-endian syntaxes and use the other: there the look is right as well.
    """
    uid, start = _meta_group(data)
    if uid is None:
        return _guessed_syntax(data, start), start
    syntax = SYNTAXES.get(uid)
    if syntax is None:
        raise RejectedInput(Code.TRANSFER_SYNTAX_UNSUPPORTED, "no decoder for the file's transfer syntax")
    if syntax.coding is not Coding.NATIVE or syntax.deflated or syntax.big_endian:
        return syntax, start
    explicit = is_explicit(data, start, len(data), expected=syntax.explicit, big_endian=False)
    return EXPLICIT if explicit else IMPLICIT, start


def _meta_group(data: bytes) -> tuple[str | None, int]:
    """The transfer syntax UID that the file meta group names, if any, and where the group ends."""
    position, uid, size = 0, None, len(data)
    if data.startswith(_PREFIX, _PREAMBLE_BYTES):
        position = _PREAMBLE_BYTES + len(_PREFIX)
    elif data.startswith(_PREFIX):
        position = len(_PREFIX)
    while position + 8 <= size and int.from_bytes(data[position : position + 2], "little") == _META_GROUP:
        tag, _, length, value = explicit_header(data, position, size, False)
        position = value + length
        if position > size:
            raise truncated()
        if tag == tags.TRANSFER_SYNTAX_UID:
            uid = data[value:position].decode("latin-1").strip(" \0\t\r\n") or None
    return uid, position


def _guessed_syntax(data: bytes, start: int) -> TransferSyntax:
    head = data[start : start + 8]
    if len(head) == 8 and head[1] == 0 and head[0] in _FIRST_GROUPS:
        return EXPLICIT if head[4:6] in VR_NAMES else IMPLICIT
    if len(head) == 8 and head[0] == 0 and head[1] in _FIRST_GROUPS and head[4:6] in VR_NAMES:
        return BIG_ENDIAN
    raise RejectedInput(Code.NOT_DICOM, "neither a DICOM prefix nor a first element")
