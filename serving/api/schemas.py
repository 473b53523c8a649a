"""What the API takes and answers, as pydantic models: the OpenAPI description is made of them.

Models of parameters forbid what they do not know, so that a misspelt filter is an error and not a wider answer.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LIMIT_MAX = 500
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


class NoParameters(Parameters):
    """A route that takes none."""


class PageParameters(Parameters):
    """A page of a list."""

    limit: Limit = 100
    cursor: Cursor | None = Field(default=None, description="`next` of the page before")


class FilterParameters(Parameters):
    """What series are narrowed to. `unknown` asks for series of which it is not known."""

    uid: Uid | None = Field(default=None, description="SeriesInstanceUID")
    study: Uid | None = Field(default=None, description="StudyInstanceUID")
    subject: Text | None = Field(default=None, description="public patient identifier")
    archive: Text | None = None
    collection: Text | None = None
    species: Species | None = None
    plane: Plane | None = Field(default=None, description="acquired plane")
    shown_plane: Plane | None = Field(default=None, description="plane that slices show, acquired or reformatted")
    sequence: Text | None = Field(default=None, description="T1, T1CE, T2, FLAIR, DWI ...")
    manufacturer: Text | None = None
    model: Text | None = Field(default=None, description="of the scanner")
    sex: Sex | None = None
    license: Text | None = Field(default=None, description="name of the licence")
    field_strength: Literal["<1", "1", "1.5", "3", "7", "unknown"] | None = Field(
        default=None, description="nominal class, tesla"
    )
    tumor: Literal["true", "false", "unknown"] | None = Field(default=None, description="what the label says")
    label_source: Literal["reader", "mask", "collection", "model", "unknown"] | None = Field(
        default=None, description="who says so; `model`: no truth speaks, and `tumor` is the active model's verdict"
    )
    field_strength_min: Annotated[float, Field(ge=0, le=100, description="tesla"), Single] | None = None
    field_strength_max: Annotated[float, Field(ge=0, le=100, description="tesla"), Single] | None = None
    spacing_min: Annotated[float, Field(ge=0, le=1000, description="largest voxel spacing, mm"), Single] | None = None
    spacing_max: Annotated[float, Field(ge=0, le=1000, description="largest voxel spacing, mm"), Single] | None = None
    thickness_min: Annotated[float, Field(ge=0, le=1000, description="slice thickness, mm"), Single] | None = None
    thickness_max: Annotated[float, Field(ge=0, le=1000, description="slice thickness, mm"), Single] | None = None
    age_min: Annotated[float, Field(ge=0, le=200, description="years"), Single] | None = None
    age_max: Annotated[float, Field(ge=0, le=200, description="years"), Single] | None = None
    score_min: (
        Annotated[float, Field(ge=0, le=1, description="tumour probability by the active model"), Single] | None
    ) = None
    score_max: (
        Annotated[float, Field(ge=0, le=1, description="tumour probability by the active model"), Single] | None
    ) = None
    date_from: Day | None = Field(default=None, description="date of the series")
    date_to: Day | None = Field(default=None, description="date of the series")
    q: Text | None = Field(default=None, description="one to four words of the descriptions, all of them")


class SeriesParameters(FilterParameters, PageParameters):
    """Filters, order and page of the list of series."""

    limit: Limit = 50
    sort: Literal["newest", "date", "age", "field_strength", "slice_count", "spacing", "score"] = "newest"
    order: Literal["asc", "desc"] = Field(default="desc", description="series without the value come last either way")
    count: Literal["0", "1"] = Field(default="0", description="1: tell how many there are in all")


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


class Series(Answer):
    """One series; spacings in millimetres."""

    series_uid: str
    study_uid: str
    archive: str
    collection: str
    subject: str
    species: str
    sex: str | None
    age_years: float | None
    series_date: date | None
    series_description: str | None
    study_description: str | None
    protocol_name: str | None
    modality: str
    sequence: str | None
    plane: str
    obliquity_deg: float
    manufacturer: str | None
    manufacturer_model: str | None
    field_strength_tesla: float | None
    rows: int
    columns: int
    slice_count: int
    shown_slices: int
    row_spacing_mm: float
    column_spacing_mm: float
    slice_spacing_mm: float
    spacing_mm: float
    slice_thickness_mm: float | None
    license_name: str | None
    license_url: str | None
    citation_url: str | None
    source_url: str | None
    published_at: datetime
    tumor: bool | None
    label_source: str | None
    tumor_probability: float | None
    model_version: str | None
    url: str = ""
    slices_url: str = ""
    thumbnail_url: str | None = None


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


class SeriesDetail(Series):
    """One series with all that is known of it."""

    packs: list[Pack] = []
    extra: dict[str, Any] = {}
    profile: str
    raw_sha256: str
    text_plane: str | None
    echo_time_ms: float | None
    repetition_time_ms: float | None
    inversion_time_ms: float | None
    flip_angle_deg: float | None
    slice_gaps: int
    slice_duplicates: int
    volume_count: int
    window_low: float
    window_high: float


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
    """How much a filter leaves; not `exact`: there are more than `series`."""

    series: int
    slices: int | None
    exact: bool


class PageEnd(BaseModel):
    """How a page of series goes on; `next` is the cursor of the page after it, null at the end."""

    next: str | None
    count: Count | None = None


class SeriesPage(BaseModel):
    """A page of series; `next` is the cursor of the page after it, null at the end."""

    series: list[Series]
    next: str | None
    count: Count | None = None


class Facet(Answer):
    """How many series have one value of one filter; the name of the facet is that of the parameter."""

    facet: str
    value: str
    series_count: int
    subject_count: int | None
    slice_count: int


class FacetPage(BaseModel):
    """All facets under a filter; a facet's own filter does not narrow it where the count is exact."""

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
