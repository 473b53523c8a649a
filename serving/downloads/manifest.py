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
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from braingranary.catalog.read.downloads import PackRow, Run
from braingranary.catalog.read.splits import split_of
from braingranary.storage import keys
from serving.downloads.rights import Source

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
# Looked up together, for each pack: by their names, one by one, that would take longer than all that follows.
_GEOMETRY: Final = slice(PackRow._fields.index("pixel_width_mm"), PackRow._fields.index("field_strength_tesla") + 1)
_KIN: Final = slice(PackRow._fields.index("archive"), PackRow._fields.index("subject") + 1)
_NOWHERE: Final = Source("", "", "", "", "")
FIXED_BYTES: Final = len(SUFFIX) + POSITION_BYTES + 7 + len(END)
"""Of a line, beside its `Lines`, its label and source, and the number that stands in it twice: 7 commas are between."""


class Lines(NamedTuple):
    """What the lines of one pack have in common: `stem` is the path up to the number of the slice."""

    stem: bytes
    identity: bytes
    geometry: bytes
    lineage: bytes

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


class Kin(NamedTuple):
    """What series of one subject share, if they came the same way: parts of their lines, as bytes."""

    source: Source
    place: bytes
    """What comes before the UID of the series in the names of its slices."""
    person: bytes
    """What comes behind it in their lines."""
    rights: bytes
    """What comes before that which names the source of the series alone,"""
    origin: bytes
    """and what behind it."""


class Describer:
    """Makes the `Lines` of packs; packs of one series come one behind the other and share most of their text."""

    def __init__(self) -> None:
        self._folder = self._identity = self._lineage = b""
        self.source = _NOWHERE
        """Of the series turned to; equal ones are hardly ever two objects."""

    def turn_to(self, pack: PackRow) -> None:
        """Look at another series, that of `pack`; raises RejectedInput(UID_INVALID) for what is none."""
        uid = keys.checked_uid(pack.series_uid).encode()
        self.source, place, person, rights, origin = _kin(pack[_KIN])
        self._folder = place + uid
        self._identity = uid + person
        self._lineage = rights + f"{cell(pack.source_url)},{cell(pack.raw_sha256)}".encode() + origin

    def lines(self, pack: PackRow) -> tuple[bytes, bytes, bytes, bytes]:
        """The common text of one pack of the series turned to, as the fields of `Lines`; to make one takes longer."""
        stem_end, identity_end = _plane(pack.volume, pack.plane)
        geometry = _geometry(pack[_GEOMETRY])
        return self._folder + stem_end, self._identity + identity_end, geometry, self._lineage


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
def _plane(volume: int, plane: str) -> tuple[bytes, bytes]:
    """How the names of the slices of a pack go on behind their folder, and the identity behind the person."""
    return f"/{volume:03d}-{plane}-".encode(), f",{plane},{volume}".encode()


@lru_cache(_KEPT_CELLS)
def _geometry(told: tuple[Any, ...]) -> bytes:
    width_mm, height_mm, slices_mm, sequence, manufacturer, model, field_tesla = told
    spacings = f"{width_mm:.6g},{height_mm:.6g},{slices_mm:.6g}"
    field = "" if field_tesla is None else f"{field_tesla:.6g}"
    return f"{spacings},{cell(sequence)},{cell(manufacturer)},{cell(model)},{field}".encode()


@lru_cache(_KEPT_CELLS)
def _kin(told: tuple[Any, ...]) -> Kin:
    *of_source, profile, subject = told
    source, place, names, rights = _source(tuple(of_source))
    return Kin(
        source,
        place + keys.segment(subject).encode() + b"/",
        f",{cell(subject)},{names}".encode(),
        rights,
        f",{word(profile)},{split_of(subject)}".encode(),
    )


@lru_cache(_KEPT_CELLS)
def _source(told: tuple[Any, ...]) -> tuple[Source, bytes, str, bytes]:
    """Where series come from, its folder, its name and its archive's, and the terms."""
    archive, collection, license_name, license_url, citation_url = told
    return (
        Source(archive, collection, license_name or "", license_url or "", citation_url or ""),
        f"{folder(collection)}/".encode(),
        f"{word(collection)},{word(archive)}",
        f"{cell(license_name)},{cell(license_url)},{cell(citation_url)},".encode(),
    )


def _literal(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
