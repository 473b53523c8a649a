"""One pack in the plan of a download, as a record of a spool file: sums in front, texts behind.

Goes in: a pack of the catalogue and the place where the packs before it end. Comes out: its record and the place where
it ends; or, read again, a `PlannedPack`. The sums are counted once, when the record is written.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from braingranary.catalog.downloads import PackRow, Run
from serving import zip_layout
from serving.manifest import FIXED_BYTES, INDEX_DIGITS_MIN, SUFFIX, Lines

# Bytes of the record; pack; SHA-256; bytes of slices, lines, entries; slices in the zip, in the pack; far; digits;
# count of runs; lengths of key, stem, identity, geometry, lineage.
_HEAD: Final = struct.Struct("<Iq32sQQQII?BIHIIII")
_RUN: Final = struct.Struct("<IIBH")
_LENGTH: Final = struct.Struct("<I")
_LABELS: Final = ("", "tumor", "no_tumor")
_FEW_SLICES: Final = 10**INDEX_DIGITS_MIN
_KEPT_RUNS: Final = 1_024  # most packs are labelled as a whole, and have one of a few lengths
_KEPT_NAMES: Final = 256


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
    pack: PackRow, runs: tuple[Run, ...], lines: tuple[bytes, bytes, bytes, bytes], near_bytes: int
) -> tuple[bytes, int, int, int, int]:
    """The record of one pack, its bytes of slices, lines and entries, and how many of its slices come along.

    It is far unless its slices take less than `near_bytes`.
    """
    whole = pack.slice_count
    digits = INDEX_DIGITS_MIN if whole <= _FEW_SLICES else len(str(whole - 1))
    count, label_bytes, tail = _chosen(runs)
    stem, identity, geometry, lineage = lines
    key = pack.object_key.encode()
    key_bytes, stem_bytes, identity_bytes, geometry_bytes, lineage_bytes = map(len, (key, *lines))
    texts = stem_bytes + identity_bytes + geometry_bytes + lineage_bytes
    header_bytes, entry_bytes, far_entry_bytes = _around(stem_bytes + digits + len(SUFFIX))
    slices = pack.slice_bytes + count * header_bytes
    told = count * (texts + FIXED_BYTES + 2 * digits) + label_bytes
    far = slices >= near_bytes
    entries = count * (far_entry_bytes if far else entry_bytes)
    head = _HEAD.pack(
        _HEAD.size + key_bytes + texts + len(tail), pack.pack_id, bytes.fromhex(pack.sha256), slices, told, entries,
        count, whole, far, digits, len(runs), key_bytes, stem_bytes, identity_bytes, geometry_bytes, lineage_bytes,
    )  # fmt: skip
    return b"".join((head, key, stem, identity, geometry, lineage, tail)), slices, told, entries, count


@lru_cache(_KEPT_RUNS)
def _chosen(runs: tuple[Run, ...]) -> tuple[int, int, bytes]:
    """How many slices `runs` have, how many bytes their labels and sources take in all lines, and what is kept."""
    count, label_bytes, record = 0, 0, b""
    for first, slices, label, by in runs:
        source = by.encode()
        count += slices
        label_bytes += slices * (len(label) + len(source))
        record += _RUN.pack(first, slices, _LABELS.index(label), len(source)) + source
    return count, label_bytes, record


@lru_cache(_KEPT_NAMES)
def _around(name_bytes: int) -> tuple[int, int, int]:
    """Bytes of the local header and of the directory's entry, near and far, for a name of `name_bytes`."""
    return (
        zip_layout.local_header_size(name_bytes),
        zip_layout.central_entry_size(name_bytes, far=False),
        zip_layout.central_entry_size(name_bytes, far=True),
    )


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
