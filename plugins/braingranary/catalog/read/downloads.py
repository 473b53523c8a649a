"""What a download takes out of the catalogue: its packs with all that a manifest tells of them, and, later, its slices.

A zip of a gigabyte has 2,000 packs and 100,000 slices, so it is planned by pack: sums of bytes and labels come with
the pack, and where each slice lies is asked when its pack is sent. Between the two a load may replace a pack, so the
second question names the SHA-256 that the first one answered. Goes in: a connection. Comes out: frozen records,
streamed: who does not read them to the end closes them. Fails as psycopg does, and with
TransientFailure(CATALOG_CHANGED) where a pack is no longer what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Literal, LiteralString, NamedTuple, TypeAlias

from braingranary.catalog.db import Connection
from braingranary.catalog.sql import statement
from braingranary.errors import Code, TransientFailure

FETCH_ROWS: Final = 500
FACTS_BYTES: Final = 24
"""Of one slice in `slice_facts`: offset in the pack (q), bytes (i), CRC-32 (q), position (f); big-endian."""
Labels: TypeAlias = Literal["truth", "model", "all"]
"""Whose word counts: truth; the active model's, and slices without truth alone; or truth, and the model's beside."""
MODEL: Final = "model:"
_KEPT_RUNS: Final = 1_024  # most packs are labelled as a whole, and have one of a few lengths
TUMOR: Final = {True: "tumor", False: "no_tumor", None: ""}


class Run(NamedTuple):
    """Slices of one pack, one behind the other, that have the same label from the same source."""

    first: int
    slices: int
    label: str
    """`tumor`, `no_tumor`, or nothing where nobody said."""
    source: str


class PackRow(NamedTuple):
    """One pack of a download; spacings in millimetres."""

    pack_id: int
    object_key: str
    sha256: str
    volume: int
    plane: str
    slice_count: int
    pixel_width_mm: float
    pixel_height_mm: float
    slice_spacing_mm: float
    sequence: str | None
    manufacturer: str | None
    manufacturer_model: str | None
    field_strength_tesla: float | None
    collection_id: int
    archive: str
    collection: str
    license_name: str | None
    license_url: str | None
    citation_url: str | None
    profile: str
    subject: str
    series_uid: str
    source_url: str | None
    raw_sha256: str
    wanted: bool | None
    """The label that a slice must have to come along; None where any will do."""
    series_tumor: bool | None
    series_source: str | None
    run_slices: Sequence[int] | None
    """How many neighbours the same is said of, from the first slice to the last; None where of none by itself."""
    run_bytes: Sequence[int] | None
    """Bytes of their JPEGs."""
    truths: Sequence[bool | None] | None
    """The label that truth gives each run; None where it gives none, and as a whole where it gives none to any."""
    truth_sources: Sequence[str | None] | None
    model_words: Sequence[bool | None] | None
    """What the active model says of each run of which no truth speaks."""
    slice_bytes: int
    """Bytes of all JPEGs of the pack."""
    model_source: str | None
    """The active model, where its word counts."""
    model_only: bool
    """Whether only slices come along that the model alone speaks of."""

    def chosen(self) -> tuple[tuple[Run, ...], int]:
        """The slices that come along, in order, and the bytes of their JPEGs."""
        if self.run_slices is None or self.run_bytes is None:
            return _whole(self.slice_count, self.series_tumor, self.series_source), self.slice_bytes
        found, size, first = list[Run](), 0, 0
        said = zip(self._labels(), self.run_slices, self.run_bytes, strict=True)
        for (tumor, source), same in groupby(said, itemgetter(0)):
            _, slices, lengths = zip(*same, strict=True)
            count = sum(slices)
            if (self.wanted is None or tumor is self.wanted) and (not self.model_only or source.startswith(MODEL)):
                found.append(Run(first, count, TUMOR[tumor], source))
                size += sum(lengths)
            first += count
        return tuple(found), size

    def _labels(self) -> Iterator[tuple[bool | None, str]]:
        """The label of each run and who says so: truth of the slices, else the model where it counts, else the series.

        The model counts where the series has no label, so that these two never compete.
        """
        nothing: Sequence[None] = [None] * len(self.run_slices or ())
        of_series = (self.series_tumor, self.series_source or "")
        truths, sources = self.truths or nothing, self.truth_sources or nothing
        words = self.model_words if self.model_words and self.model_source else nothing
        for truth, by, word in zip(truths, sources, words, strict=True):
            if truth is not None:
                yield truth, by or ""
            elif word is not None:
                yield word, self.model_source or ""
            else:
                yield of_series


@lru_cache(_KEPT_RUNS)
def _whole(slices: int, tumor: bool | None, source: str | None) -> tuple[Run, ...]:
    return (Run(0, slices, TUMOR[tumor], source or ""),)


def packs_of_named_query(connection: Connection, name: str, labels: Labels = "truth") -> Generator[PackRow]:
    """Every pack with a slice that the named query answers, in the order of keys."""
    return _streamed(connection, "queries/download_named", {"name": name, "labels": labels})


def packs_of_series(
    connection: Connection,
    series_ids: Sequence[int],
    labels: Labels = "truth",
    *,
    planes: Sequence[str] = (),
    query: str | None = None,
) -> Generator[PackRow]:
    """Every pack of some series, in the order of keys.

    Args:
        connection: in any state; read to the end before anything else is asked.
        series_ids: keys of the series.
        labels: whose word counts.
        planes: planes of the packs; none: all.
        query: only slices that this named query answers too.
    """
    values = {"series_ids": list(series_ids), "planes": list(planes) or None, "labels": labels, "query": query}
    return _streamed(connection, "queries/download_matching", values)


def _streamed(connection: Connection, chosen: LiteralString, values: dict[str, Any]) -> Generator[PackRow]:
    """The packs that the statement `chosen` selects; read to the end before anything else is asked."""
    packs = statement("queries/download_packs")
    text: LiteralString = f"WITH chosen (pack_id, tumor) AS (\n{statement(chosen)})\n{packs}"
    with connection.cursor(binary=True, row_factory=_pack_rows) as cursor:
        yield from cursor.stream(text, values, size=FETCH_ROWS)


def _pack_rows(_cursor: object) -> Callable[[Sequence[Any]], PackRow]:
    return partial(tuple.__new__, PackRow)  # `PackRow._make` looks at the length of each row as well


def slice_facts(connection: Connection, wanted: Sequence[tuple[int, str]]) -> dict[int, bytes]:
    """Where the slices of packs lie: FACTS_BYTES a slice in order of their number, by pack.

    `wanted` are pack ids with the SHA-256 that each had; raises TransientFailure(CATALOG_CHANGED) if one has changed.
    """
    values = {"pack_ids": [pack for pack, _ in wanted], "sha256s": [digest for _, digest in wanted]}
    with connection.cursor(binary=True) as cursor:
        found: dict[int, bytes] = dict(cursor.execute(statement("queries/download_slices"), values).fetchall())
    if len(found) != len(wanted):
        raise TransientFailure(Code.CATALOG_CHANGED, "a pack was replaced while it was being downloaded")
    return found
