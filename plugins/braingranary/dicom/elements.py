"""Decoded access to the few elements that were kept of one data set.

The walk (`dicom.walk`) hands over raw bytes that are known to lie within the file; this class turns them into Python
values and never raises: a value that cannot be read is as good as missing, and whoever needs it says so with a code.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from braingranary.dicom import tags
from braingranary.dicom.private_elements import PrivateElement

_BINARY: Final = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "OF": "f"}
_SIZE: Final = {code: struct.calcsize("<" + code) for code in _BINARY.values()}
_NUMBERS_MAX: Final = 64  # no element read here has more values; the rest of a hostile list is not looked at

RawValue = tuple[str, bytes]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Elements:
    """Kept elements of one data set or one sequence item."""

    values: Mapping[int, RawValue]
    sequences: Mapping[int, tuple[Elements, ...]]
    big_endian: bool = False

    def private(self, *wanted: PrivateElement) -> tuple[int, ...]:
        """The numbers that private elements have in this data set; 0, which no element has, without their creator."""
        blocks = {(tag >> 16, self.text(tag)): tag & 0xFF for tag in self.values if tag >> 16 & 1 and tag & 0xFF00 == 0}
        found = ((each, blocks.get((each.group, each.creator))) for each in wanted)
        return tuple(0 if block is None else each.group << 16 | block << 8 | each.element for each, block in found)

    def text(self, tag: int) -> str | None:
        """The value as text without padding, one character a byte; None where absent or empty."""
        found = self.values.get(tag)
        if found is None:
            return None
        return found[1].decode("latin-1").strip(" \0\t\r\n") or None

    def texts(self, tag: int) -> tuple[str, ...]:
        """All values of a multi-valued text, stripped; empty where absent."""
        whole = self.text(tag)
        return () if whole is None else tuple(part.strip(" \0") for part in whole.split("\\"))

    def numbers(self, tag: int) -> tuple[float, ...]:
        """All values as numbers (NaN and infinity possible); empty where absent or not numbers."""
        found = self.values.get(tag)
        if found is None:
            return ()
        vr, raw = found
        if vr == "UN":
            vr = tags.representation(tag)
        code = _BINARY.get(vr)
        if code is None:
            return _decimals(raw)
        count = min(len(raw) // _SIZE[code], _NUMBERS_MAX)
        order = ">" if self.big_endian else "<"
        return tuple(map(float, struct.unpack_from(f"{order}{count}{code}", raw)))

    def number(self, tag: int) -> float | None:
        """The first value as a number, None where absent or not finite."""
        found = self.numbers(tag)
        # a NaN differs from itself; infinities are caught by the bound
        return found[0] if found and abs(found[0]) < 1e300 else None

    def integer(self, tag: int) -> int | None:
        """The first value as an integer, None where absent or no integer."""
        found = self.number(tag)
        return int(found) if found is not None and found == int(found) else None

    def pointer(self, tag: int) -> int | None:
        """An attribute tag (AT) as a number; None where absent."""
        found = self.values.get(tag)
        if found is None or len(found[1]) < 4:
            return None
        group, element = struct.unpack_from(">HH" if self.big_endian else "<HH", found[1])
        return int(group << 16 | element)

    def items(self, tag: int) -> tuple[Elements, ...]:
        """Items of a kept sequence; empty where absent."""
        return self.sequences.get(tag, ())

    def item(self, tag: int) -> Elements:
        """First item of a kept sequence, or an empty one."""
        found = self.sequences.get(tag)
        return found[0] if found else NOTHING


def _decimals(raw: bytes) -> tuple[float, ...]:
    """Numbers of a decimal or integer string.

    Writers end lists with a backslash, and some take the decimal sign of their country: a lone comma is one.
    """
    stripped = raw.strip(b" \0").rstrip(b"\\")
    if not stripped:
        return ()
    parts = stripped.split(b"\\", _NUMBERS_MAX)[:_NUMBERS_MAX]
    try:
        return tuple(float(part if b"." in part else part.replace(b",", b".")) for part in parts)
    except ValueError:
        return ()


NOTHING: Final = Elements(values={}, sequences={})
