"""One pack in the plan of a download, as a record of a spool file: sums in front, texts behind.

Goes in: a pack of the catalogue and the place where the packs before it end. Comes out: its record and the place where
it ends; or, read again, a `PlannedPack`. The sums are counted once, when the record is written.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from braingranary.catalog.read.downloads import PackRow, Run
from serving.downloads import zip_layout
from serving.downloads.manifest import FIXED_BYTES, INDEX_DIGITS_MIN, SUFFIX, Lines

# Bytes of the record; pack; SHA-256; bytes of slices, lines, entries; slices in the zip, in the pack; far; digits;
# count of runs; lengths of key, stem, identity, geometry, lineage.
_FRONT: Final = struct.Struct("<Iq32sQ")
_REST: Final = struct.Struct("<QQII?BIHIIII")
_HEAD: Final = struct.Struct(_FRONT.format + _REST.format.removeprefix("<"))
_RUN: Final = struct.Struct("<IIBH")
_LENGTH: Final = struct.Struct("<I")
_LABELS: Final = ("", "tumor", "no_tumor")
_FEW_SLICES: Final = 10**INDEX_DIGITS_MIN
_KEPT_FORMS: Final = 4_096  # of some hundred bytes


class Place(NamedTuple):
    """Where the next pack begins: in each section of the zip, among the slices, and in the plan."""

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
    record: int
    """Bytes of the plan before it."""


class PlannedPack(NamedTuple):
    """One pack of a plan."""

    pack_id: int
    sha256: str
    key: str
    slice_count: int
    digits: int
    """Of the number of a slice in names and lines."""
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
        pattern = self.lines.stem.replace(b"%", b"%%") + b"%%0%dd" % self.digits + SUFFIX
        return [pattern % number for number in self.numbers()]

    def numbers(self) -> list[int]:
        """Numbers in the pack of the slices that come along."""
        return [number for run in self.runs for number in range(run.first, run.first + run.slices)]


def write_record(
    pack: PackRow, runs: tuple[Run, ...], size: int, lines: tuple[bytes, bytes, bytes, bytes], near_bytes: int
) -> tuple[bytes, int, int, int, int]:
    """The record of one pack, its bytes of slices, lines and entries, and how many of its slices come along.

    `size` are the bytes of the JPEGs of `runs`. It is far unless its slices take less than `near_bytes`.
    """
    stem, identity, geometry, lineage = lines
    key = pack.object_key.encode()
    lengths = (len(key), len(stem), len(identity), len(geometry), len(lineage))
    form_of = _kept_form if len(runs) == 1 else _form
    form = form_of(runs, pack.slice_count, lengths, False)
    slices = size + form.header_bytes
    if slices >= near_bytes:
        form = form_of(runs, pack.slice_count, lengths, True)
    record_size, _, told, entries, members, rest, tail = form
    front = _FRONT.pack(record_size, pack.pack_id, bytes.fromhex(pack.sha256), slices)
    return b"".join((front, rest, key, stem, identity, geometry, lineage, tail)), slices, told, entries, members


class _Form(NamedTuple):
    """What is the same in the records of packs with as many slices, labelled alike, and texts of the same lengths."""

    size: int
    header_bytes: int
    """Of all local headers together."""
    told: int
    entries: int
    members: int
    rest: bytes
    """Of the head, behind what is each pack's own."""
    tail: bytes


def _form(runs: tuple[Run, ...], whole: int, lengths: tuple[int, ...], far: bool) -> _Form:
    digits = INDEX_DIGITS_MIN if whole <= _FEW_SLICES else len(str(whole - 1))
    members, label_bytes, labels = 0, 0, list[bytes]()
    for first, slices, label, by in runs:
        source = by.encode()
        members += slices
        label_bytes += slices * (len(label) + len(source))
        labels += (_RUN.pack(first, slices, _LABELS.index(label), len(source)), source)
    tail = b"".join(labels)
    _, stem_bytes, *_ = lengths
    name_bytes = stem_bytes + digits + len(SUFFIX)
    told = members * (sum(lengths[1:]) + FIXED_BYTES + 2 * digits) + label_bytes
    entries = members * zip_layout.central_entry_size(name_bytes, far=far)
    return _Form(
        size=_HEAD.size + sum(lengths) + len(tail),
        header_bytes=members * zip_layout.local_header_size(name_bytes),
        told=told,
        entries=entries,
        members=members,
        rest=_REST.pack(told, entries, members, whole, far, digits, len(runs), *lengths),
        tail=tail,
    )


_kept_form = lru_cache(_KEPT_FORMS)(_form)  # not where labels differ within a pack: that can be of any length


def record_bytes(buffer: bytes, at: int) -> int:
    """Length of the record that begins at `at`; when that cannot be told yet, more than the buffer holds."""
    if len(buffer) - at < _LENGTH.size:
        return len(buffer) - at + _LENGTH.size
    size: int = _LENGTH.unpack_from(buffer, at)[0]
    return size


def read_record(buffer: bytes, at: int, place: Place) -> PlannedPack:
    """The pack whose record begins at `at`, and whose slices begin at `place`."""
    size, pack_id, digest, slices, told, entries, count, whole, far, digits, run_count, *lengths = _HEAD.unpack_from(
        buffer, at
    )
    position = at + _HEAD.size
    texts: list[bytes] = []
    for length in lengths:
        texts.append(buffer[position : position + length])
        position += length
    runs = []
    for _ in range(run_count):
        first, members, label, length = _RUN.unpack_from(buffer, position)
        position += _RUN.size + length
        runs.append(Run(first, members, _LABELS[label], buffer[position - length : position].decode()))
    after = Place(
        place.slices + slices,
        place.lines + told,
        place.entries + entries,
        place.members + count,
        place.facts + whole,
        place.record + size,
    )
    key, *rest = texts
    return PlannedPack(
        pack_id=pack_id,
        sha256=digest.hex(),
        key=key.decode(),
        slice_count=whole,
        digits=digits,
        jpeg_bytes=slices - count * zip_layout.local_header_size(len(rest[0]) + digits + len(SUFFIX)),
        far=far,
        lines=Lines(*rest),
        runs=tuple(runs),
        place=place,
        after=after,
    )
