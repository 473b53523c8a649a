"""One guarded pass over a DICOM file: every length is held against the bytes that are there, depth and count bounded.

It replaces a general parser on purpose: those follow any claim a file makes (a length, a nesting, a deflated stream)
before anyone can object, and they build objects for a hundred elements of which twenty are needed. This pass keeps the
raw bytes of the elements in `dicom.tags`, remembers where the pixels lie, steps over the rest, and allocates nothing
that the file has not got. In: the bytes of one file. Out: a `WalkedFile`. Fails with RejectedInput and one of the
DICOM_* codes; layout after PS3.5 section 7 and PS3.10 section 7.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from braingranary.dicom import tags
from braingranary.dicom.elements import Elements, RawValue
from braingranary.dicom.limits import Limits
from braingranary.dicom.syntax import EXPLICIT, IMPLICIT, SYNTAXES, TransferSyntax
from braingranary.errors import Code, RejectedInput

PREAMBLE_BYTES: Final = 128
_MAGIC: Final = b"DICM"
_UNDEFINED: Final = 0xFFFFFFFF
_DELIMITERS_FROM: Final = 0xFFFE0000  # item, item end, sequence end: no elements of their own
_KEPT_BYTES_MAX: Final = 1 << 16  # longer values of the kept elements are not what they claim to be
_KEPT_PRIVATE_BYTES_MAX: Final = 1 << 20  # Siemens CSA headers reach 200 kB

# value representations with a 16 bit length, and with two reserved bytes and a 32 bit length (PS3.5 tables 7.1-1, -2)
_SHORT: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split(),
)
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_NAMES: Final = {vr: vr.decode() for vr in _SHORT | _LONG}

_SHORT_HEADER: Final = {False: struct.Struct("<HH2sH").unpack_from, True: struct.Struct(">HH2sH").unpack_from}
_PLAIN_HEADER: Final = {False: struct.Struct("<HHL").unpack_from, True: struct.Struct(">HHL").unpack_from}
_LENGTH: Final = {False: struct.Struct("<L").unpack_from, True: struct.Struct(">L").unpack_from}


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelSpan:
    """Where the pixel data lie in `WalkedFile.data`."""

    start: int
    length: int
    """Of native data, in bytes; 0 for encapsulated data."""
    fragments: tuple[tuple[int, int], ...] | None = None
    """Start and length of each fragment of encapsulated data, the offset table left out; None for native data."""
    offsets: tuple[int, ...] = ()
    """The basic offset table: start of each frame relative to the first fragment's item."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WalkedFile:
    """One file after the walk: bytes (inflated where they came deflated), kept elements, the place of its pixels."""

    data: bytes
    syntax: TransferSyntax
    elements: Elements
    pixels: PixelSpan | None


def walk_file(data: bytes, limits: Limits) -> WalkedFile:
    """Walk one file.

    Raises RejectedInput: NOT_DICOM, DICOM_CORRUPT, DICOM_TRUNCATED, DICOM_TOO_LARGE, DICOM_TOO_DEEP,
    DICOM_DEFLATE_REFUSED, TRANSFER_SYNTAX_UNSUPPORTED.
    """
    if len(data) > limits.file_bytes_max:
        raise RejectedInput(Code.DICOM_TOO_LARGE, f"file of {len(data)} bytes")
    syntax, start = _read_meta(data, limits)
    if syntax.deflated:
        data, start = _inflate(data, start, limits), 0
    walker = _Walker(data, syntax, limits)
    elements = walker.run(start)
    return WalkedFile(data=data, syntax=syntax, elements=elements, pixels=walker.pixels)


def _read_meta(data: bytes, limits: Limits) -> tuple[TransferSyntax, int]:
    """Transfer syntax and start of the data set, from the file meta group or, without one, by its look."""
    if data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] != _MAGIC:
        return _guess_layout(data, 0), 0
    walker = _Walker(data, EXPLICIT, limits)
    meta, start = walker.meta(PREAMBLE_BYTES + 4)
    uid = meta.text(tags.TRANSFER_SYNTAX_UID)
    if uid is None:
        return _guess_layout(data, start), start
    syntax = SYNTAXES.get(uid)
    if syntax is None:
        raise RejectedInput(Code.TRANSFER_SYNTAX_UNSUPPORTED, "no decoder for the file's transfer syntax")
    if syntax.coding == "native" and not syntax.deflated and not syntax.big_endian:
        # Some writers name one little-endian layout and use the other; the first element tells which it is.
        looks = _guess_layout(data, start)
        if looks.explicit != syntax.explicit:
            return looks, start
    return syntax, start


def _guess_layout(data: bytes, start: int) -> TransferSyntax:
    head = data[start : start + 8]
    if len(head) < 8 or head[1] != 0 or head[0] not in (0x02, 0x04, 0x08, 0x10, 0x18, 0x20, 0x28):
        raise RejectedInput(Code.NOT_DICOM, "neither a DICOM prefix nor a first element")
    return EXPLICIT if head[4:6] in _NAMES else IMPLICIT


def _inflate(data: bytes, start: int, limits: Limits) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(memoryview(data)[start:], limits.inflated_bytes_max + 1)
    except zlib.error:
        raise RejectedInput(Code.DICOM_CORRUPT, "deflated data set cannot be inflated") from None
    if len(plain) > limits.inflated_bytes_max:
        raise RejectedInput(Code.DICOM_DEFLATE_REFUSED, f"deflated data set beyond {limits.inflated_bytes_max} bytes")
    if not inflater.eof:
        raise RejectedInput(Code.DICOM_TRUNCATED, "deflated data set ends early")
    return plain


class _Walker:
    """State of one walk: the bytes, the element count so far, and the pixels once found."""

    def __init__(self, data: bytes, syntax: TransferSyntax, limits: Limits) -> None:
        self.data = data
        self.explicit = syntax.explicit
        self.big = syntax.big_endian
        self.limits = limits
        self.left = limits.element_count_max
        self.pixels: PixelSpan | None = None

    def run(self, start: int) -> Elements:
        elements, _ = self._level(start, len(self.data), 0, self.explicit, keep=True, open_end=False)
        return elements

    def meta(self, start: int) -> tuple[Elements, int]:
        """The file meta group (always explicit little-endian) and where it ends."""
        values: dict[int, RawValue] = {}
        position, size = start, len(self.data)
        while position + 8 <= size:
            group, element, vr, length = _SHORT_HEADER[False](self.data, position)
            if group != 0x0002:
                break
            value = position + 8
            if vr in _LONG:
                if value + 4 > size:
                    raise _truncated()
                length = _LENGTH[False](self.data, value)[0]
                value += 4
            elif vr not in _SHORT:
                raise RejectedInput(Code.DICOM_CORRUPT, "file meta group is not explicit VR")
            position = value + length
            if position > size:
                raise _truncated()
            self._count()
            if (group << 16 | element) in tags.KEPT and length <= _KEPT_BYTES_MAX:
                values[group << 16 | element] = (_NAMES[vr], self.data[value:position])
        return Elements(values=values, sequences={}), position

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self._too_many()

    def _too_many(self) -> RejectedInput:
        return RejectedInput(Code.DICOM_TOO_LARGE, f"more than {self.limits.element_count_max} elements")

    def _level(
        self, position: int, end: int, depth: int, explicit: bool, *, keep: bool, open_end: bool
    ) -> tuple[Elements, int]:
        """Elements of one data set or item from `position`; ends at `end`, or at its delimiter where `open_end`."""
        if depth > self.limits.nesting_depth_max:
            raise RejectedInput(Code.DICOM_TOO_DEEP, f"sequences nested deeper than {self.limits.nesting_depth_max}")
        read_header = self._explicit_header if explicit else self._implicit_header
        values: dict[int, RawValue] = {}
        sequences: dict[int, tuple[Elements, ...]] = {}
        while position < end:
            self.left -= 1  # as `_count`, without the call: this loop is most of what reading costs
            if self.left < 0:
                raise self._too_many()
            tag, vr, length, position = read_header(position, end)
            if tag >= _DELIMITERS_FROM:
                if tag == tags.ITEM_END and open_end:
                    return Elements(values=values, sequences=sequences, big_endian=self.big), position
                raise RejectedInput(Code.DICOM_CORRUPT, "a delimiter where none belongs")
            kept = keep and tag in tags.KEPT
            if depth == 0 and tag == tags.PIXEL_DATA:
                self.pixels = self._pixels(position, length, end)
                return Elements(values=values, sequences=sequences, big_endian=self.big), end
            if length == _UNDEFINED or vr == b"SQ":
                items, position = self._sequence(position, end, length, vr, depth, keep=kept)
                if kept:
                    sequences[tag] = items
                continue
            if length > end - position:
                raise _truncated()
            if kept and length <= (_KEPT_PRIVATE_BYTES_MAX if tag >> 16 & 1 else _KEPT_BYTES_MAX):
                name = _NAMES[vr] if explicit else tags.representation(tag)
                values[tag] = (name, self.data[position : position + length])
            position += length
        if open_end:
            raise _truncated()
        return Elements(values=values, sequences=sequences, big_endian=self.big), position

    def _explicit_header(self, position: int, end: int) -> tuple[int, bytes, int, int]:
        """Tag, value representation, length of the element at `position`, and where its value begins."""
        if position + 8 > end:
            raise _truncated()
        group, element, vr, length = _SHORT_HEADER[self.big](self.data, position)
        if vr in _SHORT:
            return group << 16 | element, vr, length, position + 8
        if vr in _LONG:
            if position + 12 > end:
                raise _truncated()
            return group << 16 | element, vr, _LENGTH[self.big](self.data, position + 8)[0], position + 12
        if group == _DELIMITERS_FROM >> 16:
            return group << 16 | element, b"", 0, position + 8
        raise RejectedInput(Code.DICOM_CORRUPT, "an element without a value representation")

    def _implicit_header(self, position: int, end: int) -> tuple[int, bytes, int, int]:
        """As `_explicit_header`, for elements whose representation only the dictionary knows."""
        if position + 8 > end:
            raise _truncated()
        group, element, length = _PLAIN_HEADER[self.big](self.data, position)
        tag = group << 16 | element
        return tag, b"SQ" if tag in tags.SEQUENCES else b"", length, position + 8

    def _sequence(
        self, position: int, end: int, length: int, vr: bytes, depth: int, *, keep: bool
    ) -> tuple[tuple[Elements, ...], int]:
        """Items of the sequence whose value begins at `position`."""
        if length != _UNDEFINED:
            if length > end - position:
                raise _truncated()
            return self._items(position, position + length, depth, self.explicit, keep=keep, open_end=False)
        if self.explicit and vr not in (b"SQ", b"UN", b""):
            raise RejectedInput(Code.DICOM_CORRUPT, "undefined length of a value that is no sequence")
        # unknown elements of undefined length hold implicit VR (PS3.5 section 6.2.2)
        return self._items(position, end, depth, self.explicit and vr == b"SQ", keep=keep, open_end=True)

    def _items(
        self, position: int, end: int, depth: int, explicit: bool, *, keep: bool, open_end: bool
    ) -> tuple[tuple[Elements, ...], int]:
        """Items of a sequence from `position`; ends at `end`, or at its delimiter where `open_end`."""
        header = _PLAIN_HEADER[self.big]
        items: list[Elements] = []
        while position < end:
            if position + 8 > end:
                raise _truncated()
            self._count()
            group, element, length = header(self.data, position)
            position += 8
            tag = group << 16 | element
            if tag == tags.SEQUENCE_END and open_end:
                return tuple(items), position
            if tag != tags.ITEM:
                raise RejectedInput(Code.DICOM_CORRUPT, "a sequence holds something that is no item")
            if length == _UNDEFINED:
                item, position = self._level(position, end, depth + 1, explicit, keep=keep, open_end=True)
            elif length > end - position:
                raise _truncated()
            else:
                item, position = self._level(
                    position, position + length, depth + 1, explicit, keep=keep, open_end=False
                )
            if keep:
                items.append(item)
        if open_end:
            raise _truncated()
        return tuple(items), position

    def _pixels(self, position: int, length: int, end: int) -> PixelSpan:
        if length != _UNDEFINED:
            if length > end - position:
                raise _truncated()
            return PixelSpan(start=position, length=length)
        pieces: list[tuple[int, int]] = []
        start = position
        while True:
            if position + 8 > end:
                raise _truncated()
            self._count()
            group, element, size = _PLAIN_HEADER[self.big](self.data, position)
            position += 8
            tag = group << 16 | element
            if tag == tags.SEQUENCE_END:
                break
            if tag != tags.ITEM or size > end - position:
                raise RejectedInput(Code.DICOM_TRUNCATED, "a fragment of the pixel data runs past the end")
            pieces.append((position, size))
            position += size
        if not pieces:
            raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "encapsulated pixel data without an offset table")
        table, count = pieces[0], pieces[0][1] // 4
        offsets = (
            struct.unpack_from(f"<{count}L", self.data, table[0]) if count <= self.limits.element_count_max else ()
        )
        return PixelSpan(start=start, length=0, fragments=tuple(pieces[1:]), offsets=offsets)


def _truncated() -> RejectedInput:
    return RejectedInput(Code.DICOM_TRUNCATED, "a value runs past the end of the file")
