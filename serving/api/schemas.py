"""What the API takes and answers, as pydantic models: the OpenAPI description is made of them.

Models of parameters forbid what they do not know, so that a misspelt filter is an error and not a wider answer.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from braingranary.catalog.schema.series_fields import PYTHON_TYPES, SERIES_FIELDS
from braingranary.catalog.search.columns import RANGE_FILTERS, SORTS, VALUE_FILTERS
from braingranary.catalog.search.filters import MODEL, UNKNOWN, WORDS_MAX
from braingranary.catalog.search.query import Facet

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LIMIT_MAX = 500
VALUES_MAX = 50  # of one filter
Plane = Literal["axial", "coronal", "sagittal"]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Uid = Annotated[
    str,
    Field(
        max_length=64, pattern=r"^[0-9]+(\.[0-9]+)+$", json_schema_extra={"example": "1.2.826.0.1.3680043.10.1511.1"}
    ),
]
QueryName = Literal["withtumor_ax", "withtumor_cor", "withtumor_sag", "notumor_ax", "notumor_cor", "notumor_sag"]
Species = Literal["human", "dog", "mouse", "rat", "phantom", "other"]  # the values of records.Species
Sex = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[A-Za-z]+$")]
Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
_FORMS: Final[dict[str, Any]] = {"uid": Uid, "study": Uid, "sex": Sex}
_SINGLE_MIN: Final = 2.0**-126  # the least normal number of single precision
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)


def _day(value: object) -> object:
    """Only a date as ISO 8601 writes it: pydantic alone would also take seconds since 1970."""
    if not isinstance(value, date) and not (isinstance(value, str) and _DAY.match(value)):
        raise ValueError("not a date as YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_day)]


def _single(value: float) -> float:
    """As single precision holds it: PostgreSQL keeps its numbers so, and refuses to cast what is too small for it."""
    return value if abs(value) >= _SINGLE_MIN else 0.0


Single: Final = AfterValidator(_single)


class Parameters(BaseModel):
    """Base of what routes take: nothing unknown."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """The JSON schema; the plain one is made once, because flask-openapi3 looks at it in every request."""
        return super().model_json_schema(*arguments, **options) if arguments or options else _plain_schema(cls)


@cache
def _plain_schema(model: type[Parameters]) -> dict[str, Any]:
    return super(Parameters, model).model_json_schema()


class Answer(BaseModel):
    """Base of what routes answer, made from records of the catalogue."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, record: DataclassInstance, **added: Any) -> Self:
        """The answer with the fields of `record` that it has, and with those `added`, such as addresses."""
        return cls.model_validate({**asdict(record), **added})


class NoParameters(Parameters):
    """A route that takes none."""


class PageParameters(Parameters):
    """A page of a list."""

    limit: Limit = 100
    cursor: Cursor | None = Field(default=None, description="`next` of the page before")


def _filters() -> dict[str, Any]:
    """Types of the filters that follow from the list of series fields, by their names."""
    found: dict[str, Any] = {}
    for name, field in VALUE_FILTERS.items():
        values = (*field.values, *(() if field.required else (UNKNOWN,)), *((MODEL,) if name == "label_source" else ()))
        kind: Any = _FORMS.get(name, Literal[values] if field.values else Text)
        told = f"{field.description}; repeat it to ask for one of several"
        found[name] = Annotated[list[kind], Field(default=None, min_length=1, max_length=VALUES_MAX, description=told)]
    for name, field in RANGE_FILTERS.items():
        if field.limits is None:
            found[name] = Annotated[Day, Field(default=None, description=field.description)]
        else:
            least, most = field.limits
            found[name] = Annotated[float, Field(default=None, ge=least, le=most, description=field.description)]
    return found


class FieldFilters(Parameters):
    """Filters by the fields of a series. `unknown` asks for series of which it is not known."""

    __annotations__ = _filters()


class FilterParameters(FieldFilters):
    """What series are narrowed to: every filter must hold, of several values of one filter any may."""

    q: Text | None = Field(
        default=None,
        description=f"one to {WORDS_MAX} words, all of which descriptions, subject, collection, scanner, sequence or "
        "plane hold, in any case",
    )


class SeriesParameters(FilterParameters, PageParameters):
    """Filters, order and page of the list of series."""

    limit: Limit = 50
    sort: Literal[tuple(SORTS)] = "newest"  # type: ignore[valid-type]
    order: Literal["asc", "desc"] = Field(default="desc", description="series without the value come last either way")
    count: Literal["0", "1"] = Field(default="0", description="1: tell how many there are in all")
    format: Literal["json", "csv", "parquet"] | None = Field(
        default=None, description="`csv` and `parquet` answer all that matches, not a page; goes before `Accept`"
    )


class FacetParameters(FilterParameters):
    """Filters of the facets."""

    values: Annotated[int, Field(ge=1, le=1000, description="values of a facet at most, the most frequent")] = 100


class SlicesParameters(PageParameters):
    """Filters of the slices of a series."""

    plane: Plane | None = Field(default=None, description="plane that the slices show")


class SeriesPath(Parameters):
    """A series by its SeriesInstanceUID."""

    uid: Uid


class SlicePath(Parameters):
    """A slice by the id that lists give."""

    slice_id: str = Field(max_length=30, pattern=r"^[0-9]{1,19}-[0-9]{1,9}$")


class QueryPath(Parameters):
    """A named query."""

    query: QueryName


def _fields(shown: str) -> dict[str, Any]:
    """Types of the series fields that are shown in lists or in the answer for one series, by name."""
    types = {field.name: (PYTHON_TYPES[field.type], field) for field in SERIES_FIELDS if field.shown == shown}
    return {
        name: Annotated[kind if field.required else kind | None, Field(description=field.description)]  # type: ignore[operator]
        for name, (kind, field) in types.items()
    }


class SeriesFields(Answer):
    """Fields that lists show."""

    __annotations__ = _fields("list")

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A field of the list of series fields."""


class Series(SeriesFields):
    """One series; spacings in millimetres."""

    url: str
    slices_url: str
    thumbnail_url: str | None


class DetailFields(Series):
    """Fields that the answer for one series shows besides."""

    __annotations__ = _fields("detail")


class Pack(Answer):
    """The slices of one volume in one plane."""

    volume: int
    plane: str
    acquired: bool
    slice_count: int
    width: int
    height: int
    pixel_width_mm: float
    pixel_height_mm: float
    slice_spacing_mm: float


class SeriesDetail(DetailFields):
    """One series with all that is known of it."""

    packs: list[Pack]


class Slice(Answer):
    """One slice of a series."""

    id: str = ""
    volume: int
    plane: str
    slice_index: int
    position_mm: float
    byte_length: int
    tumor: bool | None
    url: str = ""


class Image(Answer):
    """One slice in the list of all images."""

    id: str = ""
    series_uid: str
    volume: int
    plane: str
    slice_index: int
    series_date: date | None
    manufacturer: str | None
    manufacturer_model: str | None
    pixel_width_mm: float
    pixel_height_mm: float
    source_url: str | None
    license_name: str | None
    url: str = ""


class Count(Answer):
    """How much a filter leaves."""

    series: int
    slices: int
    exact: bool = Field(default=True, description="always true; older servers estimated some counts")


class SeriesPage(BaseModel):
    """A page of series; `next` is the cursor of the page after it, null at the end."""

    series: list[Series]
    next: str | None
    count: Count | None = None


class FacetPage(BaseModel):
    """All facets under a filter; a facet's own filter does not narrow it."""

    count: Count
    facets: list[Facet]


class SlicePage(BaseModel):
    """A page of slices."""

    slices: list[Slice]
    next: str | None


class ImagePage(BaseModel):
    """A page of images."""

    images: list[Image]
    next: str | None


class Problem(BaseModel):
    """An error, as in RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, str]] | None = None


Id = Annotated[
    str, Field(max_length=19, pattern=r"^[0-9]{1,19}$", json_schema_extra={"example": "4611686018427387904"})
]
