"""manifest.csv of a download: one line a slice, of a width that follows from its pack, so that its place can be told.

The number of a slice is written with leading zeros, as in its file's name, and its position with leading zeros and
three decimals; everything else is the same for all slices of a pack with the same label. So the length of the whole
file is known from the packs alone, and a line in its middle can be made without those before it. Encoding UTF-8,
lines end in CR LF, quoting as in RFC 4180.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. The rule against it: text that begins
with one of these (after white space, or with a tab or a carriage return) gets an apostrophe in front. Numbers are ours,
not text of an archive, and stay numbers: a position may begin with a minus.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from braingranary.catalog.downloads import PackRow, Run
from braingranary.catalog.splits import split_of
from braingranary.storage import keys

NAME: Final = b"manifest.csv"
COLUMNS: Final = (
    "path", "series_uid", "subject", "collection", "archive", "plane", "volume", "slice", "position_mm",
    "pixel_width_mm", "pixel_height_mm", "slice_spacing_mm", "sequence", "manufacturer", "manufacturer_model",
    "field_strength_tesla", "label", "label_source", "license_name", "license_url", "citation_url", "source_url",
    "raw_sha256", "profile", "split",
)  # fmt: skip
END: Final = "\r\n"
HEADER: Final = (",".join(COLUMNS) + END).encode()
SUFFIX: Final = b".jpg"
POSITION: Final = b"%011.3f"
POSITION_BYTES: Final = 11  # -100000.000, beyond which the catalogue takes no position
INDEX_DIGITS_MIN: Final = 4
ROOT_NAMES: Final = frozenset({"license.txt", "citation.cff", "manifest.csv"})
_FORMULA: Final = frozenset("=+-@\t\r")
_PLAIN: Final = re.compile(r"""[^=+\-@\s",][^\s",]*(?: [^\s",]+)*\Z""")  # nothing to quote, nothing to compute
_KEPT_CELLS: Final = 4096
_FIXED_BYTES: Final = len(SUFFIX) + POSITION_BYTES + 7 + len(END)  # 7 commas between the parts that `Lines` names


class Lines(NamedTuple):
    """What the lines of one pack have in common: `stem` is the path up to the number of the slice."""

    stem: bytes
    identity: bytes
    geometry: bytes
    lineage: bytes

    def size(self, runs: Sequence[Run], digits: int) -> int:
        """Bytes of the lines of some runs of slices."""
        stem, identity, geometry, lineage = self
        same = len(stem) + len(identity) + len(geometry) + len(lineage) + _FIXED_BYTES + 2 * digits
        if len(runs) == 1:  # as with most packs
            _, slices, label, source = runs[0]
            return slices * (same + _label_bytes(label, source))
        return sum([run.slices * (same + _label_bytes(run.label, run.source)) for run in runs])

    def pattern(self, run: Run, digits: int) -> bytes:
        """A line of one run, to be filled with number, number and position."""
        number = b"%%0%dd" % digits
        parts = (
            _literal(self.stem) + number + SUFFIX,
            _literal(self.identity),
            number,
            POSITION,
            _literal(self.geometry),
            run.label.encode(),
            _literal(run.source.encode()),
            _literal(self.lineage),
        )
        return b",".join(parts) + END.encode()


class Describer:
    """Makes the `Lines` of packs; packs of one series come one behind the other and share most of their text."""

    def __init__(self) -> None:
        self._series = ""
        self._folder = ""
        self._identity = self._scanner = ""
        self._lineage = b""

    def lines(self, pack: PackRow) -> Lines:
        """The common text of one pack."""
        if pack.series_uid != self._series:
            self._turn_to(pack)
        volume, plane = pack.volume, pack.plane
        spacings = _spacings(pack.pixel_width_mm, pack.pixel_height_mm, pack.slice_spacing_mm)
        return Lines(
            f"{self._folder}{volume:03d}-{plane}-".encode(),
            f"{self._identity},{plane},{volume}".encode(),
            f"{spacings},{self._scanner}".encode(),
            self._lineage,
        )

    def _turn_to(self, pack: PackRow) -> None:
        uid = keys.checked_uid(pack.series_uid)
        place, person, split = _subject(pack.collection, pack.archive, pack.subject)
        scanner = _scanner(pack.sequence, pack.manufacturer, pack.manufacturer_model, pack.field_strength_tesla)
        rights = _rights(pack.license_name, pack.license_url, pack.citation_url)
        origin = f"{cell(pack.source_url)},{cell(pack.raw_sha256)},{word(pack.profile)},{split}"
        self._series = uid
        self._folder = f"{place}{uid}/"
        self._identity = f"{uid},{person}"
        self._scanner = scanner
        self._lineage = f"{rights},{origin}".encode()


def rows(pattern: bytes, run: Run, positions_mm: Iterator[float]) -> bytes:
    """The lines of one run whose slices lie at `positions_mm`."""
    numbers = range(run.first, run.first + run.slices)
    return b"".join([pattern % (number, number, at) for number, at in zip(numbers, positions_mm, strict=True)])


def cell(text: str | None) -> str:
    """`text` as one cell that no spreadsheet computes."""
    if not text:
        return ""
    if text.isalnum() or _PLAIN.match(text):
        return text
    if text[0] in _FORMULA or text.lstrip()[:1] in _FORMULA:
        text = f"'{text}"
    line = io.StringIO()
    csv.writer(line, lineterminator=END).writerow([text])  # its characters are quoted inside a cell
    return line.getvalue().removesuffix(END)


@lru_cache(_KEPT_CELLS)
def word(text: str | None) -> str:
    """`cell` of a text that many series share."""
    return cell(text)


@lru_cache(_KEPT_CELLS)
def folder(collection: str) -> str:
    """Folder of a collection in the zip; never one of the files that lie beside it, however it is written."""
    name = keys.segment(collection)
    return f"{name}~" if name.casefold() in ROOT_NAMES else name


@lru_cache(_KEPT_CELLS)
def _spacings(width_mm: float, height_mm: float, slices_mm: float) -> str:
    return f"{width_mm:.6g},{height_mm:.6g},{slices_mm:.6g}"


@lru_cache(_KEPT_CELLS)
def _label_bytes(label: str, source: str) -> int:
    return len(label) + len(source.encode())


@lru_cache(_KEPT_CELLS)
def _subject(collection: str, archive: str, subject: str) -> tuple[str, str, str]:
    """What all series of a subject share: where their folders lie, who it is, and the part it belongs to."""
    place = f"{folder(collection)}/{keys.segment(subject)}/"
    return place, f"{cell(subject)},{word(collection)},{word(archive)}", str(split_of(subject))


@lru_cache(_KEPT_CELLS)
def _scanner(sequence: str | None, manufacturer: str | None, model: str | None, field_tesla: float | None) -> str:
    field = "" if field_tesla is None else f"{field_tesla:.6g}"
    return f"{cell(sequence)},{cell(manufacturer)},{cell(model)},{field}"


@lru_cache(_KEPT_CELLS)
def _rights(license_name: str | None, license_url: str | None, citation_url: str | None) -> str:
    return f"{cell(license_name)},{cell(license_url)},{cell(citation_url)}"


def _literal(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
