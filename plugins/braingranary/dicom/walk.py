"""One guarded pass over a DICOM file: every length is held against the bytes that are there, depth and count bounded.

It stands in place of a general parser: those follow any claim a file makes (a length, a nesting, a deflated stream)
before anyone can object, and they build objects for a hundred elements of which twenty are needed. This pass keeps the
raw bytes of the elements in `dicom.tags`, remembers where the pixels lie, steps over the rest, and allocates nothing
that the file has not got. Faults in what it steps over are tolerated as widely as pydicom does
(docs/decisions/0017-what-the-dicom-walk-tolerates.md); faults in what it keeps are not.

In: the bytes of one file. Out: a `WalkedFile`. Fails with RejectedInput and one of the DICOM_* codes; layout after
PS3.5 section 7.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from braingranary.dicom import tags
from braingranary.dicom.element_header import (
    DELIMITER_GROUP,
    UNDEFINED_LENGTH,
    VR_NAMES,
    explicit_header,
    implicit_header,
    is_explicit,
    truncated,
)
from braingranary.dicom.elements import NOTHING, Elements, RawValue
from braingranary.dicom.file_meta import read_file_meta
from braingranary.dicom.limits import Limits
from braingranary.dicom.syntax import TransferSyntax
from braingranary.errors import Code, RejectedInput

_KEPT_BYTES_MAX: Final = 1 << 16  # longer values of the kept elements are not what they claim to be
_KEPT_PRIVATE_BYTES_MAX: Final = 1 << 20  # Siemens CSA headers reach 200 kB
_DELIMITERS_FROM: Final = DELIMITER_GROUP << 16
_HEADER_BYTES: Final = 8
_LIMIT_CODES: Final = frozenset((Code.DICOM_TOO_DEEP, Code.DICOM_TOO_LARGE))
# representations that hold items, or may: unknown elements of undefined length are sequences (PS3.5 section 6.2.2)
_SEQUENCE_VRS: Final = frozenset((b"SQ", b"UN", b""))

_NO_ITEMS: Final[tuple[Elements, ...]] = ()

_Found = TypeVar("_Found")


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

    Args:
        data: The whole file.
        limits: What it may claim before it is refused.

    Raises:
        RejectedInput: NOT_DICOM, DICOM_CORRUPT, DICOM_TRUNCATED, DICOM_TOO_LARGE, DICOM_TOO_DEEP,
            DICOM_DEFLATE_REFUSED, TRANSFER_SYNTAX_UNSUPPORTED, PIXEL_DATA_MISMATCH.
    """
    if len(data) > limits.file_bytes_max:
        raise RejectedInput(Code.DICOM_TOO_LARGE, f"file of {len(data)} bytes")
    syntax, start = read_file_meta(data)
    if syntax.deflated:
        data, start = _inflate(data, start, limits), 0
    walker = _Walker(data, syntax, limits)
    whole = _Scope(end=len(data), open_end=False, depth=0, explicit=syntax.explicit, keep=True)
    elements, _ = walker.data_set(start, whole)
    return WalkedFile(data=data, syntax=syntax, elements=elements, pixels=walker.pixels)


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


class _Scope(NamedTuple):
    """What holds for one data set, sequence or item while it is read."""

    end: int
    """Where it ends at the latest."""
    open_end: bool
    """Whether a delimiter ends it, as its length is undefined."""
    depth: int
    """Sequences around it."""
    explicit: bool
    """Layout of what is around it."""
    keep: bool
    """Whether anything of it is wanted."""


class _Walker:
    """State of one walk: the bytes, the elements that may still come, and the pixels once found."""

    def __init__(self, data: bytes, syntax: TransferSyntax, limits: Limits) -> None:
        self.data = data
        self.big = syntax.big_endian
        self.limits = limits
        self.left = limits.element_count_max
        self.pixels: PixelSpan | None = None

    def data_set(self, position: int, scope: _Scope) -> tuple[Elements, int]:
        """Elements of the data set or item that begins at `position`, and where it ends."""
        end, depth = scope.end, scope.depth
        if depth > self.limits.nesting_depth_max:
            raise RejectedInput(Code.DICOM_TOO_DEEP, f"sequences nested deeper than {self.limits.nesting_depth_max}")
        explicit = is_explicit(self.data, position, end, expected=scope.explicit, big_endian=self.big)
        read_header = explicit_header if explicit else implicit_header
        values: dict[int, RawValue] = {}
        sequences: dict[int, tuple[Elements, ...]] = {}
        found = Elements(values=values, sequences=sequences, big_endian=self.big)
        # bytes at an item's end that are too few for an element are padding
        last = end - _HEADER_BYTES if depth and not scope.open_end else end - 1
        data, big, keep, kept_tags = (
            self.data,
            self.big,
            scope.keep,
            tags.KEPT,
        )  # locals: most of what a walk costs is here
        while position <= last:
            self.left -= 1  # as `_count`, without a call for each element
            if self.left < 0:
                raise self._too_many()
            tag, vr, length, position = read_header(data, position, end, big)
            if tag >= _DELIMITERS_FROM:
                if tag == tags.ITEM_END and scope.open_end:
                    return found, position
                if tag == tags.ITEM:
                    raise RejectedInput(Code.DICOM_CORRUPT, "an item where none belongs")
                continue  # the end of something that had a defined length, or of nothing
            kept = keep and tag in kept_tags
            if depth == 0 and tag == tags.PIXEL_DATA:
                self.pixels = self._pixels(position, length, end)
                return found, end
            if length == UNDEFINED_LENGTH or vr == b"SQ" or (kept and tag in tags.SEQUENCES):
                inner = scope._replace(explicit=explicit, keep=kept)
                items, position = self._sequence(position, tag, vr, length, inner)
                if kept:
                    sequences[tag] = items
                continue
            if length > end - position:
                raise truncated()
            if kept and length <= (_KEPT_PRIVATE_BYTES_MAX if tag >> 16 & 1 else _KEPT_BYTES_MAX):
                name = VR_NAMES.get(vr) or tags.representation(tag)
                values[tag] = (name, self.data[position : position + length])
            position += length
        if scope.open_end:
            raise truncated()
        return found, end

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self._too_many()

    def _too_many(self) -> RejectedInput:
        return RejectedInput(Code.DICOM_TOO_LARGE, f"more than {self.limits.element_count_max} elements")

    def _sequence(
        self, position: int, tag: int, vr: bytes, length: int, scope: _Scope
    ) -> tuple[tuple[Elements, ...], int]:
        """Items of the sequence whose value begins at `position`, none of an encapsulated value, and where it ends."""
        if length == UNDEFINED_LENGTH and (vr not in _SEQUENCE_VRS or tag == tags.PIXEL_DATA):
            return _NO_ITEMS, self._encapsulated(position, scope.end)[1]
        needed = scope.keep and not tag >> 16 & 1  # what a maker's own sequence holds may be anything
        return self._bounded(self._items, _NO_ITEMS, position, length, scope, needed=needed)

    def _bounded(
        self,
        read: Callable[[int, _Scope], tuple[_Found, int]],
        nothing: _Found,
        position: int,
        length: int,
        scope: _Scope,
        *,
        needed: bool,
    ) -> tuple[_Found, int]:
        """What `read` finds in the value at `position`, and where the value ends.

        Where its length is defined and it is not needed, faults inside it do not matter: it is stepped over.
        """
        if length == UNDEFINED_LENGTH:
            return read(position, scope._replace(open_end=True))
        if length > scope.end - position:
            raise truncated()
        end = position + length
        try:
            return read(position, scope._replace(end=end, open_end=False))[0], end
        except RejectedInput as error:
            if needed or error.code in _LIMIT_CODES:
                raise
            return nothing, end

    def _items(self, position: int, scope: _Scope) -> tuple[tuple[Elements, ...], int]:
        """Items of the sequence whose value begins at `position`, and where it ends."""
        items: list[Elements] = []
        inner = scope._replace(depth=scope.depth + 1)
        last = scope.end - 1 if scope.open_end else scope.end - _HEADER_BYTES
        while position <= last:
            self._count()
            tag, _, length, position = implicit_header(self.data, position, scope.end, self.big)
            if tag == tags.SEQUENCE_END and scope.open_end:
                return tuple(items), position
            if tag in (tags.SEQUENCE_END, tags.ITEM_END):
                continue  # behind something that had a defined length
            if tag != tags.ITEM:
                raise RejectedInput(Code.DICOM_CORRUPT, "a sequence holds something that is no item")
            item, position = self._bounded(self.data_set, NOTHING, position, length, inner, needed=scope.keep)
            if scope.keep:
                items.append(item)
        if scope.open_end:
            raise truncated()
        return tuple(items), scope.end

    def _encapsulated(self, position: int, end: int) -> tuple[list[tuple[int, int]], int]:
        """Start and length of each item of an encapsulated value, the offset table among them, and where it ends."""
        pieces: list[tuple[int, int]] = []
        while True:
            self._count()
            tag, _, size, position = implicit_header(self.data, position, end, self.big)
            if tag == tags.SEQUENCE_END:
                return pieces, position
            if tag != tags.ITEM or size > end - position:
                raise RejectedInput(Code.DICOM_TRUNCATED, "a fragment of an encapsulated value runs past the end")
            pieces.append((position, size))
            position += size

    def _pixels(self, position: int, length: int, end: int) -> PixelSpan:
        if length != UNDEFINED_LENGTH:
            if length > end - position:
                raise truncated()
            return PixelSpan(start=position, length=length)
        pieces, _ = self._encapsulated(position, end)
        if not pieces:
            raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "encapsulated pixel data without an offset table")
        (table, table_bytes), *fragments = pieces
        count = table_bytes // 4
        offsets = struct.unpack_from(f"<{count}L", self.data, table) if count <= self.limits.element_count_max else ()
        return PixelSpan(start=position, length=0, fragments=tuple(fragments), offsets=offsets)
