"""The bytes around the members of a zip, when size and CRC-32 of every member are known before the first is read.

Why not a library: zipstream-ng computes CRC-32s itself, so that each member gets a data descriptor behind it instead of
its sizes before it (a reader that streams cannot tell where a stored member ends), keeps an object a member in memory
until the directory is written, and cannot start in the middle. Here every byte's place follows from names, sizes and
CRC-32s. Members are STORED. Zip64 fields appear where a size needs them, and where the caller says that a member lies
`far`: a whole group of members can be called far as soon as one of them is, so that the length of a directory needs no
look at single members. Source: PKWARE APPNOTE 6.3.10.
"""

from __future__ import annotations

import struct
from typing import Final

LIMIT_32: Final = 0xFFFFFFFF
_LIMIT_16: Final = 0xFFFF
_VERSION: Final = 20
_VERSION_ZIP64: Final = 45
_UTF8: Final = 0x800
_DATE: Final = 0x21  # 1 January 1980, the first day a zip knows: the same content gives the same bytes
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_END_64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR_64: Final = struct.Struct("<4sIQI")
_EXTRA: Final = struct.Struct("<HH")
_EXTRA_64_ID: Final = 1


def local_header(name: bytes, size: int, crc32: int) -> bytes:
    """What stands before the bytes of a member of `size` bytes."""
    large = size >= LIMIT_32
    extra = _extra([size, size]) if large else b""
    told = LIMIT_32 if large else size
    version = _VERSION_ZIP64 if large else _VERSION
    head = _LOCAL.pack(b"PK\x03\x04", version, _flags(name), 0, 0, _DATE, crc32, told, told, len(name), len(extra))
    return head + name + extra


def local_header_size(name_bytes: int, size: int = 0) -> int:
    """Length of `local_header` for a name of `name_bytes`."""
    return _LOCAL.size + name_bytes + (_EXTRA.size + 16 if size >= LIMIT_32 else 0)


def central_entry(name: bytes, size: int, crc32: int, offset: int, *, far: bool) -> bytes:
    """The directory's entry of a member whose local header starts at `offset`; `far` when that may need 64 bits."""
    large = size >= LIMIT_32
    wide = ([size, size] if large else []) + ([offset] if far else [])
    extra = _extra(wide) if wide else b""
    version = _VERSION_ZIP64 if wide else _VERSION
    told = LIMIT_32 if large else size
    return (
        _CENTRAL.pack(
            b"PK\x01\x02", version, version, _flags(name), 0, 0, _DATE, crc32, told, told, len(name), len(extra),
            0, 0, 0, 0, LIMIT_32 if far else offset,
        )
        + name
        + extra
    )  # fmt: skip


def central_entry_size(name_bytes: int, *, far: bool, size: int = 0) -> int:
    """Length of `central_entry` for a name of `name_bytes`."""
    wide = (16 if size >= LIMIT_32 else 0) + (8 if far else 0)
    return _CENTRAL.size + name_bytes + (_EXTRA.size + wide if wide else 0)


def end(members: int, directory_size: int, directory_offset: int) -> bytes:
    """What closes the zip, behind the directory."""
    record = b""
    if members >= _LIMIT_16 or directory_size >= LIMIT_32 or directory_offset >= LIMIT_32:
        record = _END_64.pack(
            b"PK\x06\x06", _END_64.size - 12, _VERSION_ZIP64, _VERSION_ZIP64, 0, 0, members, members,
            directory_size, directory_offset,
        )  # fmt: skip
        record += _LOCATOR_64.pack(b"PK\x06\x07", 0, directory_offset + directory_size, 1)
    count = min(members, _LIMIT_16)
    return record + _END.pack(
        b"PK\x05\x06", 0, 0, count, count, min(directory_size, LIMIT_32), min(directory_offset, LIMIT_32), 0
    )


def _extra(values: list[int]) -> bytes:
    return _EXTRA.pack(_EXTRA_64_ID, 8 * len(values)) + struct.pack(f"<{len(values)}Q", *values)


def _flags(name: bytes) -> int:
    return 0 if name.isascii() else _UTF8
