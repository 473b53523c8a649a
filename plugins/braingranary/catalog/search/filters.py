"""What a search is narrowed to: the one filter that lists, counts, facets, exports and downloads share.

Goes in: parameters by their names in the API, which the border has checked for type. Comes out: a frozen record, and
the Polars expressions that it stands for. Fails with RejectedInput(REQUEST_INVALID) where the words of a full-text
query are none or too many.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from braingranary.catalog.schema.series_fields import SeriesField, SqlType
from braingranary.catalog.search.columns import PLANES, RANGE_FILTERS, VALUE_FILTERS
from braingranary.errors import Code, RejectedInput

UNKNOWN: Final = "unknown"
"""Stands for "not known" in every value filter and facet, as in `sequence=unknown`."""
MODEL: Final = "model"
"""As a label source: series that no truth speaks of. `tumor` then is the active model's verdict."""
SHOWN_PLANE: Final = "shown_plane"
WORDS_MAX: Final = 8
Parameter: TypeAlias = "str | float | date | Iterable[str] | None"
_LOWER_LIMITS: Final = ("_min", "_from")
_TRUE: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, init=False)
class SeriesFilter:
    """What a set of series is narrowed to; every filter must hold, of several values of one filter any may."""

    values: tuple[tuple[str, tuple[str, ...]], ...]
    """Value filters and what they ask for."""
    limits: tuple[tuple[str, float | date], ...]
    """Limits, which include their own value."""
    q: str | None
    """Words to be found in the texts of a series, all of them."""

    def __init__(self, *, q: str | None = None, **parameters: Parameter) -> None:
        """Parameters that are None narrow nothing; a single value stands for itself."""
        values: dict[str, tuple[str, ...]] = {}
        limits: dict[str, float | date] = {}
        for name, value in parameters.items():
            if value is None:
                continue
            if name in VALUE_FILTERS:
                several = (value,) if isinstance(value, str) else value
                values[name] = tuple(dict.fromkeys(several))  # type: ignore[arg-type]
            elif name in RANGE_FILTERS:
                limits[name] = value  # type: ignore[assignment]
            else:
                raise TypeError(f"there is no filter {name}")
        object.__setattr__(self, "values", tuple(sorted(values.items())))
        object.__setattr__(self, "limits", tuple(sorted(limits.items())))
        object.__setattr__(self, "q", q)

    @property
    def active(self) -> frozenset[str]:
        """Names of the filters that narrow."""
        return frozenset([name for name, _ in (*self.values, *self.limits)] + (["q"] if self.q is not None else []))

    def asked(self, name: str) -> tuple[str, ...]:
        """The values that a value filter asks for; none where it narrows nothing."""
        return dict(self.values).get(name, ())


def conditions(wanted: SeriesFilter) -> dict[str, pl.Expr]:
    """One condition a filter, by its name; full-text search is apart, see Texts."""
    made: dict[str, pl.Expr] = {}
    for name, values in wanted.values:
        if name == SHOWN_PLANE:
            made[name] = pl.any_horizontal([pl.col(f"slices_{plane}") > 0 for plane in PLANES if plane in values])
        elif name == "label_source":
            made[name] = _label_source(values, verdict="tumor" not in wanted.active)
        elif name == "tumor":
            made[name] = _one_of(tumor_of(wanted), values, {True: "true", False: "false"})
        else:
            made[name] = _value(VALUE_FILTERS[name], values)
    for name, limit in wanted.limits:
        made[name] = _limit(RANGE_FILTERS[name], limit, lower=name.endswith(_LOWER_LIMITS))
    return made


def tumor_of(wanted: SeriesFilter) -> pl.Expr:
    """What is said of a tumour under a filter: by the label, and by the model where the filter asks for its word."""
    if MODEL in wanted.asked("label_source"):
        return pl.coalesce("tumor", "model_tumor")
    return pl.col("tumor")


def words(query: str) -> list[str]:
    """The words of a full-text query, in lower case."""
    found: list[str] = pc.utf8_lower(pa.scalar(query)).as_py().split()
    if not any(character.isalnum() for character in query) or len(found) > WORDS_MAX:
        raise RejectedInput(Code.REQUEST_INVALID, f"q: one to {WORDS_MAX} words are needed, with a letter or a digit")
    return found


def literal(field: SeriesField, value: object) -> pl.Expr:
    """A value as the column of a field holds it."""
    kinds: dict[SqlType, Any] = {
        SqlType.REAL: pl.Float64,
        SqlType.INTEGER: pl.Int32,
        SqlType.DATE: pl.Date,
        SqlType.TIMESTAMP: pl.Datetime("us", "UTC"),
    }
    return pl.lit(value, dtype=kinds[field.type])


def _value(field: SeriesField, values: tuple[str, ...]) -> pl.Expr:
    if field.type is SqlType.BOOLEAN:
        return _one_of(pl.col(field.name), values, {True: "true", False: "false"})
    found = pl.col(field.name).is_in(list(values))
    return found | pl.col(field.name).is_null() if UNKNOWN in values else found.fill_null(value=False)


def _one_of(column: pl.Expr, values: tuple[str, ...], names: dict[bool, str]) -> pl.Expr:
    """Which of the truth values of `column` are asked for by name."""
    found = [column == value for value, name in names.items() if name in values]
    if UNKNOWN in values:
        found.append(column.is_null())
    return pl.any_horizontal(found).fill_null(value=False)


def _label_source(values: tuple[str, ...], *, verdict: bool) -> pl.Expr:
    """Series by who says so; asked for the model's word without what it says, those of which it says anything."""
    found = [pl.col("label_source").is_in([value for value in values if value not in {UNKNOWN, MODEL}])]
    found[0] = found[0].fill_null(value=False)
    bare = pl.col("label_source").is_null()
    if UNKNOWN in values:
        found.append(bare)
    if MODEL in values:
        found.append(bare & pl.col("model_tumor").is_not_null() if verdict else bare)
    return pl.any_horizontal(found)


def _limit(field: SeriesField, limit: float | date, *, lower: bool) -> pl.Expr:
    column, bound = pl.col(field.name), literal(field, limit)
    return (column >= bound if lower else column <= bound).fill_null(value=False)
