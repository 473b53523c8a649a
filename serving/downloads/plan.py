"""The plan of a download: which bytes of the zip come from which pack, known without a look at single slices.

The zip is LICENSE.txt, CITATION.cff, the slices pack by pack, manifest.csv, directory. Names and manifest lines of one
pack have one width, so that four sums a pack tell where its slices, its manifest lines and its directory entries begin,
how long the whole is, and what stands at any byte. One record a pack lies in an unlinked temporary file; in memory is
one mark for every MARK_EVERY packs: a plan of any size takes a few kilobytes, and a range is found by bisection.

Goes in: packs in order. Comes out: length, strong ETag, counts, rights, and packs from any place on. The ETag is the
hash of everything that the zip's bytes follow from; a pack's SHA-256 stands for its slices.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import IO, Final, Literal

from braingranary.catalog.read.downloads import PackRow
from braingranary.errors import Code, GranaryError
from serving.downloads import manifest, zip_layout
from serving.downloads.manifest import Describer
from serving.downloads.plan_record import Place, PlannedPack, read_record, record_bytes, write_record
from serving.downloads.rights import CITATION_NAME, LICENSE_NAME, Rights

MARK_EVERY: Final = 32
LAYOUT: Final = b"braingranary zip layout 1"
DOCUMENTS_BYTES_MAX: Final = 64 * 1024 * 1024
# Members are called far this much early, because the length of the documents before them is known last.
FAR_BYTES: Final = zip_layout.LIMIT_32 - DOCUMENTS_BYTES_MAX
_READ_BYTES: Final = 64 * 1024
Section = Literal["slices", "lines", "entries"]


class Plan:
    """A planned zip, for as many readers as hold it; its file goes when the last of them lets go."""

    def __init__(self, packs: Iterable[PackRow], *, without: frozenset[int] = frozenset()) -> None:
        """Of `packs` those whose collection is not in `without`; `left_out` tells which of these there were."""
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115 - lives as long as the plan
        self._let_go = weakref.finalize(self, self._file.close)
        self._marks = tuple(array("Q") for _ in Place._fields)
        self.packs = self.series = 0
        self.rights = Rights()
        self.left_out: set[int] = set()
        self._without = without
        self._subjects: set[int] = set()
        self._collections: set[int] = set()
        self.etag = self._write(packs)
        self._file.flush()
        self._lay_out()

    @property
    def subjects(self) -> int:
        """How many subjects the slices show."""
        return len(self._subjects)

    @property
    def collection_ids(self) -> list[int]:
        """Collections that the slices come from."""
        return sorted(self._collections)

    def walk(self, section: Section = "slices", at: int = 0) -> Iterator[PlannedPack]:
        """Packs in order, from the one that holds byte `at` of a section on; several threads may walk at once."""
        if not self.packs:
            return
        column = Place._fields.index(section)
        mark = max(bisect_right(self._marks[column], at) - 1, 0)
        for pack in self._read(Place._make(marks[mark] for marks in self._marks)):
            if pack.after[column] > at:
                yield pack

    def _write(self, packs: Iterable[PackRow]) -> str:
        """Spool the packs; returns the ETag."""
        digest = hashlib.sha256(LAYOUT)
        # Locals: a thousand packs are written while somebody waits, and a look by name costs as much as a sum.
        in_slices = in_lines = in_entries = members = facts = in_plan = written = 0
        series, describer, batch = "", Describer(), list[bytes]()
        without, lines, keep = self._without, describer.lines, batch.append
        for pack in packs:
            if without and pack.collection_id in without:
                self.left_out.add(pack.collection_id)
                continue
            runs, size = pack.chosen()
            if not runs:
                continue
            if written % MARK_EVERY == 0:
                in_plan += self._spool(batch, digest)
                self._mark(Place(in_slices, in_lines, in_entries, members, facts, in_plan))
            if pack.series_uid != series:  # packs of one series come one behind the other
                series = pack.series_uid
                self.series += 1
                describer.turn_to(pack)
                self._subjects.add(hash(pack.subject))
                self._collections.add(pack.collection_id)
                self.rights.add(describer.source)
            record, slices, told, entries, count = write_record(pack, runs, size, lines(pack), FAR_BYTES - in_slices)
            keep(record)
            written += 1
            in_slices += slices
            in_lines += told
            in_entries += entries
            members += count
            facts += pack.slice_count
        in_plan += self._spool(batch, digest)
        self.packs = written
        self.total = Place(in_slices, in_lines, in_entries, members, facts, in_plan)
        self.documents = (
            (LICENSE_NAME, self.rights.license_text()),
            (CITATION_NAME, self.rights.citation_text()),
        )
        for _, text in self.documents:
            digest.update(text)
        return digest.hexdigest()[:40]

    def _spool(self, batch: list[bytes], digest: hashlib._Hash) -> int:
        """Keep the records of `batch`, which is empty then; how many bytes they were."""
        records = b"".join(batch)
        batch.clear()
        digest.update(records)
        return self._file.write(records)

    def _mark(self, place: Place) -> None:
        for marks, value in zip(self._marks, place, strict=True):
            marks.append(value)

    def _lay_out(self) -> None:
        """Tell where each part of the zip begins."""
        self.members = self.total.members + len(self.documents) + 1
        self.slices_at = sum(zip_layout.local_header_size(len(name)) + len(text) for name, text in self.documents)
        if self.slices_at > DOCUMENTS_BYTES_MAX:
            raise GranaryError(Code.INTERNAL, "the licences of a download are longer than any could be")
        self.manifest_at = self.slices_at + self.total.slices
        self.manifest_bytes = len(manifest.HEADER) + self.total.lines
        self.lines_at = (
            self.manifest_at
            + zip_layout.local_header_size(len(manifest.NAME), self.manifest_bytes)
            + len(manifest.HEADER)
        )
        self.directory_at = self.lines_at + self.total.lines
        self.entries_at = self.directory_at + sum(
            zip_layout.central_entry_size(len(name), far=False) for name, _ in self.documents
        )
        self.manifest_far = self.manifest_at >= zip_layout.LIMIT_32
        self.end_at = (
            self.entries_at
            + self.total.entries
            + zip_layout.central_entry_size(len(manifest.NAME), far=self.manifest_far, size=self.manifest_bytes)
        )
        self.end = zip_layout.end(self.members, self.end_at - self.directory_at, self.directory_at)
        self.length = self.end_at + len(self.end)

    def _read(self, place: Place) -> Iterator[PlannedPack]:
        buffer, at = b"", 0
        while place.record < self.total.record:
            if len(buffer) - at < record_bytes(buffer, at):
                buffer, at = os.pread(self._file.fileno(), _READ_BYTES, place.record), 0
                if len(buffer) < (whole := record_bytes(buffer, 0)):
                    buffer = os.pread(self._file.fileno(), whole, place.record)
            pack = read_record(buffer, at, place)
            at += pack.after.record - place.record
            place = pack.after
            yield pack
