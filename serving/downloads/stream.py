"""Any part of a planned zip as bytes: nothing is decoded, compressed or held, and only the packs it touches are read.

Goes in: a plan, the object store and a way to ask the catalogue. Comes out: the bytes from `start` to `stop`. Where the
slices of a pack lie is asked once, a few packs at a time in a short question, and kept in an unlinked temporary file:
a slow reader of a long download holds neither memory nor a connection. Each pack is read by as few range GETs as its
slices allow, and every slice's CRC-32 is checked before it is passed on. Fails with GranaryError(CHECKSUM_MISMATCH) or
TransientFailure(CATALOG_CHANGED); by then the answer has begun, so it ends early, which its Content-Length makes plain.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Final, NamedTuple

from braingranary.catalog.db import Connection
from braingranary.catalog.read import downloads
from braingranary.errors import Code, GranaryError, TransientFailure
from braingranary.storage.store import ObjectStore
from serving.downloads import manifest, zip_layout
from serving.downloads.plan import Plan, PlannedPack

RANGE_BYTES_MAX: Final = 1024 * 1024  # held for as long as a slow reader takes it; a pack of 50 slices has 0.5 MB
GAP_BYTES_MAX: Final = 64 * 1024  # reading over a small gap costs less than another request
ASKED_SLICES: Final = 2_048  # of one question, which takes some milliseconds
_FACTS: Final = struct.Struct(">qiqf")


class Fact(NamedTuple):
    """Where one slice lies in its pack, and in the head."""

    offset: int
    length: int
    crc32: int
    position_mm: float


class Member(NamedTuple):
    """A member of the zip: where its local header begins among the slices, that header, and its bytes in the pack."""

    at: int
    header: bytes
    fact: Fact


class Download:
    """One reader of a plan. Close it when it is sent or given up; the plan stays open."""

    def __init__(
        self, plan: Plan, store: ObjectStore, connect: Callable[[], AbstractContextManager[Connection]]
    ) -> None:
        """A reader of `plan`; `connect` lends a connection to the catalogue for one question."""
        self.plan = plan
        self.sent = 0
        self._store = store
        self._connect = connect
        self._facts: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the answer
        self._crc32 = zlib.crc32(manifest.HEADER)
        self._crc32_at = 0

    def close(self) -> None:
        """Let go of what was kept for this reader."""
        self._facts.close()

    def stream(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of the zip from `start` to `stop`."""
        for begin, end, part in self._parts():
            first, last = max(start, begin) - begin, min(stop, end) - begin
            if first < last:
                for at, chunk in part(first, last):
                    if wanted := chunk[max(first - at, 0) : last - at]:
                        self.sent += len(wanted)
                        yield wanted

    def _parts(self) -> Iterator[tuple[int, int, Callable[[int, int], Iterable[tuple[int, bytes]]]]]:
        """Begin and end in the zip of its parts in order, and what makes the bytes between two places of the part.

        What a maker yields are chunks with their own places, which may reach beyond the places asked for.
        """
        plan = self.plan
        yield 0, plan.slices_at, lambda _first, _last: [(0, self._documents())]
        yield plan.slices_at, plan.manifest_at, self._slices
        yield plan.manifest_at, plan.lines_at, lambda _first, _last: [(0, self._manifest_head())]
        yield plan.lines_at, plan.directory_at, self._lines
        yield plan.directory_at, plan.entries_at, lambda _first, _last: [(0, self._document_entries())]
        entries_end = plan.entries_at + plan.total.entries
        yield plan.entries_at, entries_end, self._entries
        yield entries_end, plan.end_at, lambda _first, _last: [(0, self._manifest_entry())]
        yield plan.end_at, plan.length, lambda _first, _last: [(0, plan.end)]

    # documents and manifest

    def _documents(self) -> bytes:
        return b"".join(
            zip_layout.local_header(name, len(text), zlib.crc32(text)) + text for name, text in self.plan.documents
        )

    def _document_entries(self) -> bytes:
        entries, offset = b"", 0
        for name, text in self.plan.documents:
            entries += zip_layout.central_entry(name, len(text), zlib.crc32(text), offset, far=False)
            offset += zip_layout.local_header_size(len(name)) + len(text)
        return entries

    def _manifest_head(self) -> bytes:
        crc32 = self._manifest_crc32()
        return zip_layout.local_header(manifest.NAME, self.plan.manifest_bytes, crc32) + manifest.HEADER

    def _manifest_entry(self) -> bytes:
        plan = self.plan
        return zip_layout.central_entry(
            manifest.NAME, plan.manifest_bytes, self._manifest_crc32(), plan.manifest_at, far=plan.manifest_far
        )

    def _manifest_crc32(self) -> int:
        """CRC-32 of the whole manifest; where the slices were sent from the first on, it is counted already."""
        if self._crc32_at < self.plan.total.lines:
            for pack, facts in self._with_facts(self.plan.walk("lines", self._crc32_at)):
                self._count(pack, facts)
        return self._crc32

    def _count(self, pack: PlannedPack, facts: list[Fact]) -> None:
        """Take the lines of the next pack into the manifest's CRC-32."""
        if pack.place.lines == self._crc32_at:
            self._crc32 = zlib.crc32(_lines_of(pack, facts), self._crc32)
            self._crc32_at = pack.after.lines

    def _lines(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for pack, facts in self._with_facts(self.plan.walk("lines", first)):
            if pack.place.lines >= last:
                return
            yield pack.place.lines, _lines_of(pack, facts)

    # slices and their directory

    def _slices(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for pack, facts in self._with_facts(self.plan.walk("slices", first)):
            if pack.place.slices >= last:
                return
            self._count(pack, facts)
            yield from self._read_members(
                pack, [member for member in _members_of(pack, facts) if _within(member, first, last)]
            )

    def _read_members(self, pack: PlannedPack, members: list[Member]) -> Iterator[tuple[int, bytes]]:
        for run in _by_read(members):
            start = run[0].fact.offset
            length = run[-1].fact.offset + run[-1].fact.length - start
            data = memoryview(self._store.get_range(pack.key, start, length))
            parts: list[bytes | memoryview] = []
            for member in run:
                content = data[member.fact.offset - start :][: member.fact.length]
                if zlib.crc32(content) != member.fact.crc32:
                    raise GranaryError(Code.CHECKSUM_MISMATCH, f"{pack.key}: not the bytes that were catalogued")
                parts += (member.header, content)
            yield run[0].at, b"".join(parts)

    def _entries(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for pack, facts in self._with_facts(self.plan.walk("entries", first)):
            if pack.place.entries >= last:
                return
            entries = [
                zip_layout.central_entry(
                    name, member.fact.length, member.fact.crc32, self.plan.slices_at + member.at, far=pack.far
                )
                for name, member in zip(pack.names(), _members_of(pack, facts), strict=True)
            ]
            yield pack.place.entries, b"".join(entries)

    # what the catalogue knows of the slices

    def _with_facts(self, packs: Iterator[PlannedPack]) -> Iterator[tuple[PlannedPack, list[Fact]]]:
        """Packs with the facts of those slices that come along."""
        batch: list[PlannedPack] = []
        slices = 0
        for pack in packs:
            batch.append(pack)
            slices += pack.slice_count
            if slices >= ASKED_SLICES:
                yield from self._look_up(batch)
                batch, slices = [], 0
        yield from self._look_up(batch)

    def _look_up(self, batch: list[PlannedPack]) -> Iterator[tuple[PlannedPack, list[Fact]]]:
        spool = self._facts.fileno()
        size = downloads.FACTS_BYTES
        # No slice is empty, so that a hole in the file tells that nothing was written there.
        unknown = [pack for pack in batch if not any(os.pread(spool, size, pack.place.facts * size))]
        if unknown:
            with self._connect() as connection:
                found = downloads.slice_facts(connection, [(pack.pack_id, pack.sha256) for pack in unknown])
            for pack in unknown:
                os.pwrite(spool, found[pack.pack_id], pack.place.facts * size)
        for pack in batch:
            raw = os.pread(spool, pack.slice_count * size, pack.place.facts * size)
            facts = [Fact._make(item) for item in _FACTS.iter_unpack(raw)]
            chosen = [fact for run in pack.runs for fact in facts[run.first : run.first + run.slices]]
            if sum(fact.length for fact in chosen) != pack.jpeg_bytes:
                raise TransientFailure(Code.CATALOG_CHANGED, "a pack has other slices than when it was planned")
            yield pack, chosen


def _members_of(pack: PlannedPack, facts: list[Fact]) -> list[Member]:
    """The members of one pack."""
    at, members = pack.place.slices, []
    for name, fact in zip(pack.names(), facts, strict=True):
        header = zip_layout.local_header(name, fact.length, fact.crc32)
        members.append(Member(at, header, fact))
        at += len(header) + fact.length
    return members


def _within(member: Member, first: int, last: int) -> bool:
    return member.at < last and member.at + len(member.header) + member.fact.length > first


def _by_read(members: list[Member]) -> Iterator[list[Member]]:
    """Members that one range GET fetches: in order, close together, not too many."""
    run: list[Member] = []
    for member in members:
        if run:
            before = run[-1].fact
            gap = member.fact.offset - before.offset - before.length
            span = member.fact.offset + member.fact.length - run[0].fact.offset
            if not 0 <= gap <= GAP_BYTES_MAX or span > RANGE_BYTES_MAX:
                yield run
                run = []
        run.append(member)
    if run:
        yield run


def _lines_of(pack: PlannedPack, facts: list[Fact]) -> bytes:
    """The manifest's lines of one pack."""
    lines, done = [], 0
    for run in pack.runs:
        positions = (fact.position_mm for fact in facts[done : done + run.slices])
        lines.append(pack.lines.rows(run, positions))
        done += run.slices
    return b"".join(lines)
