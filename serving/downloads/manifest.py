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
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from braingranary.catalog.read.downloads import PackRow, Run
from braingranary.catalog.read.splits import split_of
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
_KEPT_CELLS: Final = 4096
_COMMAS: Final = 7  # of a line, beside those inside its common texts


class Lines(NamedTuple):
    """What the lines of one pack have in common; `stem` is the path up to the number of the slice."""

    stem: bytes
    identity: bytes
    geometry: bytes
    lineage: bytes
    digits: int
    """Of the number of a slice, in its file's name and in its line."""

    @property
    def name_bytes(self) -> int:
        """Length of the path of a slice."""
        return len(self.stem) + self.digits + len(SUFFIX)

    def names(self, numbers: Iterable[int]) -> list[bytes]:
        """Paths in the zip of the slices with these numbers."""
        pattern = _literal(self.stem) + b"%%0%dd" % self.digits + SUFFIX
        return [pattern % number for number in numbers]

    def line_bytes(self, run: Run) -> int:
        """Length of a line of `run`."""
        common = len(self.identity) + len(self.geometry) + len(self.lineage)
        label = len(run.label) + len(run.source.encode())
        return self.name_bytes + common + self.digits + POSITION_BYTES + label + _COMMAS + len(END)

    def rows(self, run: Run, positions_mm: Iterator[float]) -> bytes:
        """The lines of `run`, whose slices lie at `positions_mm`."""
        number = b"%%0%dd" % self.digits
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
        pattern = b",".join(parts) + END.encode()
        numbers = range(run.first, run.first + run.slices)
        return b"".join([pattern % (index, index, at) for index, at in zip(numbers, positions_mm, strict=True)])


def lines_of(pack: PackRow) -> Lines:
    """The common text of the lines of `pack`; raises RejectedInput(UID_INVALID) where its series has no UID."""
    uid = keys.checked_uid(pack.series_uid)
    path = f"{folder(pack.collection)}/{keys.segment(pack.subject)}/{uid}/{pack.volume:03d}-{pack.plane}-"
    identity = (uid, cell(pack.subject), cell(pack.collection), cell(pack.archive), pack.plane, str(pack.volume))
    spacings = (pack.pixel_width_mm, pack.pixel_height_mm, pack.slice_spacing_mm)
    scanner = (cell(pack.sequence), cell(pack.manufacturer), cell(pack.manufacturer_model))
    field = "" if pack.field_strength_tesla is None else f"{pack.field_strength_tesla:.6g}"
    rights = (cell(pack.license_name), cell(pack.license_url), cell(pack.citation_url))
    origin = (cell(pack.source_url), cell(pack.raw_sha256), cell(pack.profile), split_of(pack.subject))
    return Lines(
        stem=path.encode(),
        identity=",".join(identity).encode(),
        geometry=",".join([*(f"{value:.6g}" for value in spacings), *scanner, field]).encode(),
        lineage=",".join([*rights, *origin]).encode(),
        digits=max(INDEX_DIGITS_MIN, len(str(pack.slice_count - 1))),
    )


@lru_cache(_KEPT_CELLS)
def cell(text: str | None) -> str:
    """`text` as one cell that no spreadsheet computes."""
    if not text:
        return ""
    if text[0] in _FORMULA or text.lstrip()[:1] in _FORMULA:
        text = f"'{text}"
    line = io.StringIO()
    csv.writer(line, lineterminator=END).writerow([text])  # its characters are quoted inside a cell
    return line.getvalue().removesuffix(END)


def folder(collection: str) -> str:
    """Folder of a collection in the zip; never one of the files that lie beside it, however it is written."""
    name = keys.segment(collection)
    return f"{name}~" if name.casefold() in ROOT_NAMES else name


def _literal(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
