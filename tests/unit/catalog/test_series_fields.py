"""The list of series fields holds together: no two of one name, no filter or order that cannot work."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest

from braingranary.catalog.schema.series_fields import (
    ARROW_TYPES,
    PYTHON_TYPES,
    SERIES_FIELDS,
    SeriesField,
    SqlType,
    row_schema,
)


def test_names_and_parameters_are_unique() -> None:
    parameters = [
        *(field.value_filter for field in SERIES_FIELDS if field.value_filter),
        *(name for field in SERIES_FIELDS for name in field.range_parameters or ()),
    ]
    for names in (
        [field.name for field in SERIES_FIELDS],
        [field.sort for field in SERIES_FIELDS if field.sort],
        parameters,
    ):
        assert [name for name, times in Counter(names).items() if times > 1] == []


@pytest.mark.parametrize("field", SERIES_FIELDS, ids=lambda field: field.name)
def test_a_field_asks_for_nothing_that_its_type_cannot_do(field: SeriesField) -> None:
    assert field.description
    assert not field.facet or field.value_filter, "a facet has the name of its filter"
    assert not field.words or field.type is SqlType.TEXT
    if field.range_filter is not None:
        assert field.type in {SqlType.INTEGER, SqlType.REAL, SqlType.DOUBLE, SqlType.DATE}
        assert (field.limits is None) == (field.type is SqlType.DATE)


def test_every_type_has_its_counterparts() -> None:
    assert set(ARROW_TYPES) == set(PYTHON_TYPES) == set(SqlType)


def test_dates_are_limited_by_from_and_to_and_numbers_by_min_and_max() -> None:
    by_name = {field.name: field.range_parameters for field in SERIES_FIELDS}
    assert by_name["series_date"] == ("date_from", "date_to")
    assert by_name["age_years"] == ("age_min", "age_max")
    assert by_name["series_uid"] is None


def test_row_files_have_the_columns_of_the_list_in_its_order() -> None:
    schema = row_schema()
    assert schema.names[0] == "series_uid"
    assert schema.names[-1] == "extra"
    assert schema.field("age_years") == pa.field("age_years", pa.float32())
    assert schema.field("plane") == pa.field("plane", pa.string(), nullable=False)
    assert "spacing_mm" not in schema.names, "a field of the view is in no row file"
