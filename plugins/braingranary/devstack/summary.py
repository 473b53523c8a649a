"""What a catalogue holds, in a few lines for people: collections, slices a plane, rejects, scores.

In: the catalogue's DSN. Out: frozen counts. Fails with psycopg's errors when the catalogue cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from braingranary.catalog.sql import statement


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the summary: a collection, a plane or a reason of rejection; `series` and `slices` are counts."""

    name: str
    series: int
    slices: int


@dataclass(frozen=True, kw_only=True)
class ScoreLine:
    """What one model looked at; all but `slices` count series."""

    model: str
    series: int
    slices: int
    tumor: int
    declined: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The whole summary; each group is sorted by name."""

    collections: tuple[Line, ...]
    planes: tuple[Line, ...]
    rejects: tuple[Line, ...]
    scores: tuple[ScoreLine, ...] = ()

    @property
    def series(self) -> int:
        """Series in the catalogue."""
        return sum(line.series for line in self.collections)

    @property
    def slices(self) -> int:
        """Slices in the catalogue, reformats included."""
        return sum(line.slices for line in self.planes)


def read_summary(dsn: str) -> Summary:
    """Count what the catalogue holds now."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(statement("queries/ingest_summary")).fetchall()
        with connection.cursor(row_factory=class_row(ScoreLine)) as cursor:
            scores = cursor.execute(statement("queries/score_summary")).fetchall()

    def of(kind: str) -> tuple[Line, ...]:
        return tuple(
            Line(name=name, series=int(series), slices=int(slices))
            for found, name, series, slices in rows
            if found == kind
        )

    return Summary(collections=of("collection"), planes=of("plane"), rejects=of("reject"), scores=tuple(scores))
