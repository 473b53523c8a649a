"""Read a raw zip: its DICOM members one at a time, in memory, nothing ever written to disk.

The zip comes from an archive or a user, so its directory is bounded before it is parsed, every name, size and place is
checked before the first member is opened, and each member is inflated against what it claimed and no further. In: a
seekable binary file. Out: names and bytes, `LICENSE` and `md5hashes.csv` left out. Fails with RejectedInput:
ZIP_INVALID, ZIP_UNSAFE_NAME, ZIP_TOO_LARGE, ZIP_TOO_MANY_ENTRIES.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO, Final

from isal import isal_zlib

from braingranary.dicom.limits import DEFAULT_ZIP_LIMITS, ZipLimits
from braingranary.errors import Code, RejectedInput

COMPANIONS: Final = frozenset(("license", "license.txt", "md5hashes.csv"))
"""Members that archives add to a series: no images."""

_END_BYTES: Final = 22  # end of central directory record without its comment (APPNOTE 4.3.16)
_COMMENT_BYTES_MAX: Final = 65_535
_LOCATOR_BYTES: Final = 20  # zip64 locator, right before the end record (APPNOTE 4.3.15)
_ZIP64_END_BYTES: Final = 56  # zip64 end of central directory record (APPNOTE 4.3.14)
_LOCAL_HEADER_BYTES: Final = 30
_ENCRYPTED: Final = 0x1  # general purpose flags (APPNOTE 4.4.4)
_UTF8: Final = 0x800
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")


def read_members(file: BinaryIO, limits: ZipLimits = DEFAULT_ZIP_LIMITS) -> Iterator[tuple[str, bytes]]:
    """Read the members of a zip, in the order in which they lie there.

    All checks of names and claims happen before the first member is given.

    Args:
        file: The zip, seekable.
        limits: What it may claim and hold.

    Yields:
        Name and bytes of each member that is neither a folder nor a companion.

    Raises:
        RejectedInput: ZIP_INVALID, ZIP_UNSAFE_NAME, ZIP_TOO_LARGE, ZIP_TOO_MANY_ENTRIES.
    """
    _check_directory(file, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            members = _checked_members(archive, limits)
            left = limits.total_bytes_max
            for info in members:
                data = _inflated(file, info, left)
                left -= len(data)
                if data.startswith(_ZIP_MAGIC):
                    raise RejectedInput(Code.ZIP_INVALID, "a zip within the zip")
                if info.filename.rsplit("/", 1)[-1].lower() not in COMPANIONS:
                    yield info.filename, data
    except (zipfile.BadZipFile, EOFError, NotImplementedError, struct.error, ValueError) as error:
        raise RejectedInput(Code.ZIP_INVALID, f"zip cannot be read ({type(error).__name__})") from None


def _check_directory(file: BinaryIO, limits: ZipLimits) -> None:
    """Refuse a central directory that is too large to be parsed; its place is found as `zipfile` finds it."""
    size = file.seek(0, os.SEEK_END)
    start = max(size - _END_BYTES - _COMMENT_BYTES_MAX - _LOCATOR_BYTES, 0)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if tail[-_END_BYTES:].startswith(b"PK\x05\x06"):
        at = len(tail) - _END_BYTES
    if at < 0 or len(tail) - at < _END_BYTES:
        raise RejectedInput(Code.ZIP_INVALID, "no end of a zip: it is cut short or no zip at all")
    entries, directory_bytes = struct.unpack_from("<HL", tail, at + 10)
    zip64 = _zip64_counts(file, start + at - _LOCATOR_BYTES, size) if at >= _LOCATOR_BYTES else []
    if zip64:
        entries = max(0 if entries == 0xFFFF else entries, *(count for count, _ in zip64))
        directory_bytes = max(0 if directory_bytes == 0xFFFFFFFF else directory_bytes, *(length for _, length in zip64))
    if entries > limits.entries_max:
        raise RejectedInput(Code.ZIP_TOO_MANY_ENTRIES, f"{entries} entries")
    if directory_bytes > limits.directory_bytes_max:
        raise RejectedInput(Code.ZIP_TOO_MANY_ENTRIES, f"central directory of {directory_bytes} bytes")
    file.seek(0)


def _zip64_counts(file: BinaryIO, locator: int, size: int) -> list[tuple[int, int]]:
    """Entries and bytes of the directory by the zip64 record, if the zip has one; `locator` is where it is told of.

    Versions of `zipfile` look where the locator says or right before it; both places are held to the limits.
    """
    file.seek(locator)
    head = file.read(_LOCATOR_BYTES)
    if not head.startswith(b"PK\x06\x07"):
        return []
    found: list[tuple[int, int]] = []
    for place in {struct.unpack_from("<Q", head, 8)[0], locator - _ZIP64_END_BYTES}:
        if 0 <= place <= size - _ZIP64_END_BYTES:
            file.seek(place)
            record = file.read(_ZIP64_END_BYTES)
            if record.startswith(b"PK\x06\x06"):
                found.append(struct.unpack_from("<QQ", record, 32))
    return found


def _checked_members(archive: zipfile.ZipFile, limits: ZipLimits) -> list[zipfile.ZipInfo]:
    """The files of the zip by place, every claim of the directory within the budgets."""
    entries = archive.infolist()
    if len(entries) > limits.entries_max:
        raise RejectedInput(Code.ZIP_TOO_MANY_ENTRIES, f"{len(entries)} entries")
    seen: set[str] = set()
    for info in entries:
        _check_name(info, limits)
        folded = info.filename.casefold()
        if folded in seen:
            raise RejectedInput(Code.ZIP_UNSAFE_NAME, "two members of one name")
        seen.add(folded)
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RejectedInput(Code.ZIP_INVALID, "a member is encrypted or compressed in an unusual way")
        if info.file_size > limits.member_bytes_max:
            raise RejectedInput(Code.ZIP_TOO_LARGE, f"a member of {info.file_size} bytes")
        if info.file_size > max(limits.ratio_free_bytes, limits.ratio_max * info.compress_size):
            raise RejectedInput(Code.ZIP_TOO_LARGE, "a member out of proportion to its compressed size")
    if sum(info.file_size for info in entries) > limits.total_bytes_max:
        raise RejectedInput(Code.ZIP_TOO_LARGE, f"members of more than {limits.total_bytes_max} bytes together")
    _check_overlap(entries, archive.start_dir)
    return sorted((info for info in entries if not info.is_dir()), key=lambda info: info.header_offset)


def _check_name(info: zipfile.ZipInfo, limits: ZipLimits) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    # newer versions of `zipfile` take the second name from an extra field
    if not all(is_safe_name(name, limits) for name in (info.orig_filename, info.filename)):
        raise RejectedInput(Code.ZIP_UNSAFE_NAME, "a member's name leaves the folder or cannot be told")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise RejectedInput(Code.ZIP_UNSAFE_NAME, "a member is a link or a device")


def is_safe_name(name: str, limits: ZipLimits) -> bool:
    """Tell whether a member's name is a plain relative path with slashes between its parts."""
    parts = name.removesuffix("/").split("/")
    return (
        len(name) <= limits.name_chars_max
        and "\\" not in name
        and not any(ord(character) < 32 or ord(character) == 127 for character in name)
        and not any(part in ("", ".", "..") for part in parts)
        and ":" not in parts[0]
    )


def _check_overlap(entries: list[zipfile.ZipInfo], directory_start: int) -> None:
    """Members that share bytes let a small zip inflate without end."""
    spans = sorted(
        (
            info.header_offset,
            info.header_offset + _LOCAL_HEADER_BYTES + len(_name_bytes(info)),
            info.compress_size,
        )
        for info in entries
    )
    ends = [(start, end + size) for start, end, size in spans]
    if any(end > following for (_, end), (following, _) in pairwise([*ends, (directory_start, 0)])):
        raise RejectedInput(Code.ZIP_INVALID, "members overlap")


def _name_bytes(info: zipfile.ZipInfo) -> bytes:
    """The member's name as it stands in the zip: UTF-8 where its flag says so, else cp437 (APPNOTE appendix D)."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")


def _inflated(file: BinaryIO, info: zipfile.ZipInfo, budget_bytes: int) -> bytes:
    """The member's bytes; the decompressor is never asked for more than the directory claims.

    ISA-L inflates at about twice zlib's rate, and a raw zip is little but deflated pixels.
    """
    if info.file_size > budget_bytes:
        raise RejectedInput(Code.ZIP_TOO_LARGE, "members of more bytes together than allowed")
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER_BYTES)
    if len(header) != _LOCAL_HEADER_BYTES or not header.startswith(_LOCAL_MAGIC):
        raise RejectedInput(Code.ZIP_INVALID, "a member is not where the directory says")
    name_bytes, extra_bytes = struct.unpack_from("<HH", header, 26)
    name = file.read(name_bytes)
    if name != _name_bytes(info):
        raise RejectedInput(Code.ZIP_INVALID, "a member and the directory disagree on its name")
    file.seek(extra_bytes, os.SEEK_CUR)
    packed = file.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_STORED:
        data, ended = packed, True
    else:
        inflater = isal_zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(packed, info.file_size + 1)
        except Exception:  # noqa: BLE001 - its own error class is not told by its types
            raise RejectedInput(Code.ZIP_INVALID, "a member cannot be inflated") from None
        ended = inflater.eof and not inflater.unused_data
    if not ended or len(data) != info.file_size or isal_zlib.crc32(data) != info.CRC:
        raise RejectedInput(Code.ZIP_INVALID, "a member is not what the directory claims")
    return data
