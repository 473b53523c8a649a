"""A zip of slices, streamed out of their packs: nothing is decoded, compressed or held, and its size is known at once.

Goes in: the slices in the order of their packs, and the object store. Comes out: the length of the zip and its bytes.
The plan lies in an unlinked temporary file, not in memory and not in an open transaction: a slow reader of a long
download holds neither. Each pack is read by as few range GETs as its slices allow. Every slice's CRC-32 is checked
before it is passed on; when a byte is not what the catalogue says, the answer ends early, which its Content-Length
makes plain to the reader.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from braingranary.catalog.search import NamedSlice
from braingranary.errors import Code, GranaryError
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from serving import zip_layout

RANGE_BYTES_MAX: Final = 8 * 1024 * 1024  # a pack of 50 slices has about 0.5 MB
GAP_BYTES_MAX: Final = 64 * 1024  # reading over a small gap costs less than another request
_RECORD: Final = struct.Struct("<QIIHH")  # offset in the pack, size, crc32, length of name, length of key


@dataclass(frozen=True, slots=True)
class _Member:
    name: bytes
    key: str
    offset: int
    size: int
    crc32: int


class Download:
    """One planned zip. Close it when it is sent or given up."""

    def __init__(self, slices: Iterable[NamedSlice]) -> None:
        self._plan: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the answer
        self.members = 0
        self._directory_offset = 0
        self._directory_size = 0
        key = ""
        for item in slices:
            name = member_name(item)
            # The key of a pack is written once, with its first slice.
            written = b"" if item.object_key == key else item.object_key.encode()
            key = item.object_key
            head = _RECORD.pack(item.byte_offset, item.byte_length, item.crc32, len(name), len(written))
            self._plan.write(head + name + written)
            self._directory_size += zip_layout.central_entry_size(name, self._directory_offset)
            self._directory_offset += zip_layout.local_header_size(name) + item.byte_length
            self.members += 1
        self._end = zip_layout.end(self.members, self._directory_size, self._directory_offset)

    @property
    def length(self) -> int:
        """Bytes of the whole zip."""
        return self._directory_offset + self._directory_size + len(self._end)

    def close(self) -> None:
        """Let go of the plan."""
        self._plan.close()

    def stream(self, store: ObjectStore) -> Iterator[bytes]:
        """The bytes of the zip."""
        for run in _runs(self._read()):
            start = run[0].offset
            data = memoryview(store.get_range(run[0].key, start, run[-1].offset + run[-1].size - start))
            for member in run:
                content = data[member.offset - start :][: member.size]
                if zlib.crc32(content) != member.crc32:
                    raise GranaryError(Code.CHECKSUM_MISMATCH, f"{member.key}: not the bytes that were catalogued")
                yield zip_layout.local_header(member.name, member.size, member.crc32) + content
        offset = 0
        for member in self._read():
            yield zip_layout.central_entry(member.name, member.size, member.crc32, offset)
            offset += zip_layout.local_header_size(member.name) + member.size
        yield self._end

    def _read(self) -> Iterator[_Member]:
        """The planned members in order."""
        self._plan.seek(0)
        key = ""
        while head := self._plan.read(_RECORD.size):
            offset, size, crc32, name_length, key_length = _RECORD.unpack(head)
            name = self._plan.read(name_length)
            key = self._plan.read(key_length).decode() or key
            yield _Member(name, key, offset, size, crc32)


def member_name(item: NamedSlice) -> bytes:
    """Path of a slice in the zip: safe segments whatever an archive called its collection."""
    folder = f"{keys.segment(item.collection)}/{keys.segment(item.subject)}/{keys.checked_uid(item.series_uid)}"
    return f"{folder}/{item.volume:03d}-{item.plane}-{item.slice_index:04d}.jpg".encode()


def _runs(members: Iterable[_Member]) -> Iterator[list[_Member]]:
    """Members that one range GET fetches: of one pack, in order, close together, not too many."""
    run: list[_Member] = []
    for member in members:
        if run:
            last = run[-1]
            gap = member.offset - last.offset - last.size
            span = member.offset + member.size - run[0].offset
            if member.key != last.key or not 0 <= gap <= GAP_BYTES_MAX or span > RANGE_BYTES_MAX:
                yield run
                run = []
        run.append(member)
    if run:
        yield run
