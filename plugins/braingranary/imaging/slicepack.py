"""Slice packs: an ordinary zip whose members are STORED JPEGs in slice order, with the place of every one of them.

Anyone can open it, and whoever knows an `Entry` gets one slice by one range GET. Members are `0001.jpg` and up, dated
1980-01-01, so equal slices give equal bytes. Goes in: JPEGs. Comes out: bytes and entries. Fails with
RejectedInput(CHECKSUM_MISMATCH) when a range that was read is not the slice it should be.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from braingranary.errors import Code, RejectedInput

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold
_UNIX: Final = 3
_MODE: Final = 0o100644 << 16
_LOCAL_HEADER_BYTES: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where one slice lies in its pack."""

    offset: int
    """Of the JPEG's first byte, from the start of the pack."""
    length: int
    crc32: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pack:
    """A finished pack: its bytes, and its slices in order."""

    data: bytes
    entries: tuple[Entry, ...]


def write_pack(jpegs: Iterable[bytes]) -> Pack:
    """The pack of `jpegs` in the order given."""
    buffer = io.BytesIO()
    entries: list[Entry] = []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for number, jpeg in enumerate(jpegs, start=1):
            member = zipfile.ZipInfo(f"{number:04d}.jpg", _EPOCH)
            member.create_system = _UNIX
            member.external_attr = _MODE
            archive.writestr(member, jpeg)
            start = member.header_offset + _LOCAL_HEADER_BYTES + len(member.filename)
            entries.append(Entry(offset=start, length=len(jpeg), crc32=member.CRC))
    return Pack(data=buffer.getvalue(), entries=tuple(entries))


def read_pack(data: bytes) -> tuple[bytes, ...]:
    """All JPEGs of a pack in slice order; raises RejectedInput(ZIP_INVALID) on bytes that are no pack.

    For packs whose hash was checked: limits that a foreign zip would need are not kept here.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise RejectedInput(Code.ZIP_INVALID, "a member of a slice pack is compressed")
            return tuple(archive.read(member) for member in members)
    except (zipfile.BadZipFile, EOFError) as error:
        raise RejectedInput(Code.ZIP_INVALID, "not a slice pack") from error


def checked_slice(data: bytes, entry: Entry) -> bytes:
    """`data`, read from the pack at `entry`, when it is that slice; raises RejectedInput(CHECKSUM_MISMATCH)."""
    if len(data) != entry.length or zlib.crc32(data) != entry.crc32:
        raise RejectedInput(Code.CHECKSUM_MISMATCH, "the range that was read is not the slice that was written there")
    return data
