"""Columns of the search snapshot: the series fields that lists need.

Everything here follows from the list of series fields; a new field that is filtered, sorted, counted or listed is a
column of the snapshot as soon as it stands there and in the view `series_snapshot`.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from braingranary.catalog.schema.series_fields import ARROW_TYPES, SERIES_FIELDS, Origin, SeriesField, SqlType

PLANES: Final = ("axial", "coronal", "sagittal")
FIELDS: Final[dict[str, SeriesField]] = {
    field.name: field
    for field in SERIES_FIELDS
    if field.type is not SqlType.TEXTS  # shown planes are told by the counts of slices
    and (
        field.origin in {Origin.LOAD, Origin.VIEW}
        or field.shown == "list"
        or field.words
        or field.facet
        or any((field.value_filter, field.range_filter, field.sort))
    )
}
"""Series fields in the snapshot, by name."""
SHOWN: Final = tuple(field.name for field in SERIES_FIELDS if field.shown == "list")
"""Fields that lists show, in their order."""
VALUE_FILTERS: Final = {field.value_filter: field for field in SERIES_FIELDS if field.value_filter}
"""Fields by the parameter that asks for one of several values."""
RANGE_FILTERS: Final = {
    parameter: field for field in SERIES_FIELDS if field.range_parameters for parameter in field.range_parameters
}
"""Fields by the parameter for a limit; lower limits end with `_min` or `_from`."""
SORTS: Final = {field.sort: field for field in SERIES_FIELDS if field.sort}
"""Fields by the API's name for the order."""
FACETS: Final = tuple(field.value_filter for field in SERIES_FIELDS if field.facet and field.value_filter)
"""Names of the facets, each also that of its value filter."""
WORDS: Final = tuple(field.name for field in SERIES_FIELDS if field.words)
"""Fields that full-text search looks into."""
_UNIQUE: Final = {"series_uid", "source_url"}  # nearly every series has another one


def column_types() -> dict[str, pa.DataType]:
    """Arrow types of the view's columns, by name."""
    # PostgreSQL writes a real with as few digits as tell it: as a double these are what people read, and compare to.
    kinds = {**ARROW_TYPES, SqlType.REAL: pa.float64()}
    return {name: kinds[field.type] for name, field in FIELDS.items()}


def is_category(name: str) -> bool:
    """Whether a column is kept as a dictionary of its different values."""
    field = FIELDS.get(name)
    return field is not None and field.type is SqlType.TEXT and name not in _UNIQUE


def snapshot_schema() -> pa.Schema:
    """The schema of the snapshot file."""
    category, text = pa.dictionary(pa.int32(), pa.string()), pa.string_view()
    kinds = {
        name: category if is_category(name) else text for name, kind in column_types().items() if kind == pa.string()
    }
    return pa.schema({**column_types(), **kinds})
