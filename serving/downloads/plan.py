"""The plan of a download: which bytes of the zip come from which pack, known without a look at single slices.

The zip is LICENSE.txt, CITATION.cff, the slices pack by pack, manifest.csv, directory. Names and manifest lines of one
pack have one width, so that its sums tell where its slices, its manifest lines and its directory entries begin, how
long the whole is, and what stands at any byte. The packs lie in an unlinked temporary file, BATCH_PACKS at a time; in
memory is where each batch begins, so that a plan of any size takes little and a range is found by bisection.

The ETag is the hash of everything that the zip's bytes follow from; a pack's SHA-256 stands for its slices.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import IO, Final, Literal, NamedTuple

from braingranary.catalog.read.downloads import PackRow, Run
from braingranary.errors import Code, GranaryError
from serving.downloads import manifest, zip_layout
from serving.downloads.manifest import Lines
from serving.downloads.rights import CITATION_NAME, LICENSE_NAME, Rights, Source

BATCH_PACKS: Final = 32
LAYOUT: Final = b"braingranary zip layout 1"
DOCUMENTS_BYTES_MAX: Final = 64 * 1024 * 1024
# Members are called far this much early, because the length of the documents before them is known last.
FAR_BYTES: Final = zip_layout.LIMIT_32 - DOCUMENTS_BYTES_MAX
Section = Literal["slices", "lines", "entries"]


class Place(NamedTuple):
    """Where a pack begins in each section of the zip, and among the slices."""

    slices: int
    """Bytes of local headers and JPEGs before it."""
    lines: int
    """Bytes of manifest lines before it, the line of column names left out."""
    entries: int
    """Bytes of directory entries before it, those of the documents left out."""
    members: int
    """Slices in the zip before it."""
    facts: int
    """Slices of the packs before it, whether they come along or not."""


class PlannedPack(NamedTuple):
    """One pack of a plan."""

    pack_id: int
    sha256: str
    key: str
    slice_count: int
    jpeg_bytes: int
    """Of the slices that come along."""
    far: bool
    """Whether its directory entries tell their places in 64 bits."""
    lines: Lines
    runs: tuple[Run, ...]
    place: Place
    after: Place

    def names(self) -> list[bytes]:
        """Paths in the zip of the slices that come along."""
        return self.lines.names(number for run in self.runs for number in range(run.first, run.first + run.slices))


class _Batch(NamedTuple):
    """Neighbouring packs in the temporary file: where the first of them begins in the zip, and where they lie."""

    place: Place
    offset: int
    size: int


class Plan:
    """A planned zip, for as many readers as hold it; its file goes when the last of them lets go."""

    def __init__(self, packs: Iterable[PackRow], *, without: frozenset[int] = frozenset()) -> None:
        """Of `packs` those whose collection is not in `without`; `left_out` tells which of these there were."""
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the plan
        self._let_go = weakref.finalize(self, self._file.close)
        self._batches: list[_Batch] = []
        self.total = Place(0, 0, 0, 0, 0)
        self.packs = self.series = 0
        self.left_out: set[int] = set()
        self.etag = self._write(packs, without)
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
        column = Place._fields.index(section)
        first = bisect_right(self._batches, at, key=lambda batch: batch.place[column]) - 1
        for batch in self._batches[max(first, 0) :]:
            packs: list[PlannedPack] = pickle.loads(os.pread(self._file.fileno(), batch.size, batch.offset))  # noqa: S301 - written by this plan, in a file without a name
            yield from (pack for pack in packs if pack.after[column] > at)

    def _write(self, packs: Iterable[PackRow], without: frozenset[int]) -> str:
        """Lay out the packs one behind the other; returns the ETag."""
        digest = hashlib.sha256(LAYOUT)
        self._subjects: set[int] = set()
        self._collections: set[int] = set()
        self.rights = Rights()
        series, batch = "", list[PlannedPack]()
        for row in packs:
            if row.collection_id in without:
                self.left_out.add(row.collection_id)
                continue
            runs, jpeg_bytes = row.chosen()
            if not runs:
                continue
            pack = _planned(row, runs, jpeg_bytes, self.total)
            digest.update(repr((pack.sha256, pack.key, pack.slice_count, pack.far, pack.lines, pack.runs)).encode())
            batch.append(pack)
            self.total = pack.after
            self.packs += 1
            if len(batch) == BATCH_PACKS:
                self._keep(batch)
                batch = []
            if row.series_uid != series:  # packs of one series come one behind the other
                series = row.series_uid
                self.series += 1
                self._subjects.add(hash(row.subject))
                self._collections.add(row.collection_id)
                self.rights.add(_source(row))
        self._keep(batch)
        self.documents = (
            (LICENSE_NAME, self.rights.license_text()),
            (CITATION_NAME, self.rights.citation_text()),
        )
        for _, text in self.documents:
            digest.update(text)
        return digest.hexdigest()[:40]

    def _keep(self, batch: list[PlannedPack]) -> None:
        """Write packs to the end of the file."""
        if not batch:
            return
        data = pickle.dumps(batch, pickle.HIGHEST_PROTOCOL)
        offset = self._batches[-1].offset + self._batches[-1].size if self._batches else 0
        self._batches.append(_Batch(batch[0].place, offset, len(data)))
        if self._file.write(data) != len(data):
            raise GranaryError(Code.INTERNAL, "the plan of a download does not fit on the disk")

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


def _planned(row: PackRow, runs: tuple[Run, ...], jpeg_bytes: int, place: Place) -> PlannedPack:
    """The pack of `row` at `place`; its slices in `runs` come along, whose JPEGs have `jpeg_bytes`."""
    lines = manifest.lines_of(row)
    members = sum(run.slices for run in runs)
    slices = jpeg_bytes + members * zip_layout.local_header_size(lines.name_bytes)
    far = place.slices + slices >= FAR_BYTES
    after = Place(
        slices=place.slices + slices,
        lines=place.lines + sum(run.slices * lines.line_bytes(run) for run in runs),
        entries=place.entries + members * zip_layout.central_entry_size(lines.name_bytes, far=far),
        members=place.members + members,
        facts=place.facts + row.slice_count,
    )
    return PlannedPack(
        row.pack_id, row.sha256, row.object_key, row.slice_count, jpeg_bytes, far, lines, runs, place, after
    )


def _source(row: PackRow) -> Source:
    return Source(row.archive, row.collection, row.license_name or "", row.license_url or "", row.citation_url or "")
