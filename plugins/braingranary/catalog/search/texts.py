"""Full-text search over a snapshot: words are looked for in each different text once, and then in rows by number.

Goes in: the rows of a snapshot, whose texts are categories. Comes out: conditions on the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow.compute as pc

from braingranary.catalog.search.columns import WORDS


@dataclass(frozen=True)
class Texts:
    """The different texts of a snapshot that full-text search looks into."""

    fields: dict[str, tuple[pl.Series, pl.Series]]
    """By field: its different texts in lower case, and the numbers that Polars holds them by."""

    def containing(self, word: str) -> pl.Expr:
        """Which rows have a word, in lower case, in any of their texts."""
        found = []
        for name, (texts, numbers) in self.fields.items():
            matching = numbers.filter(texts.str.contains(word, literal=True))
            if len(matching):
                found.append(pl.col(name).to_physical().is_in(matching.implode()).fill_null(value=False))
        return pl.any_horizontal(found) if found else pl.repeat(value=False, n=pl.len(), dtype=pl.Boolean)


def collect_texts(frame: pl.DataFrame) -> Texts:
    """The different texts of the rows of a snapshot."""
    fields = {}
    for name in WORDS:
        distinct = frame[name].unique().drop_nulls()
        lower: Any = pc.utf8_lower(distinct.cast(pl.String).to_arrow())
        fields[name] = (pl.Series(lower, dtype=pl.String), distinct.to_physical())
    return Texts(fields)
