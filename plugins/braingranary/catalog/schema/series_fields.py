"""The one list of what is known of a series: every place that handles series fields takes them from here.

From it follow the columns of the normalization's row files, the staging tables and the merge of a load, the search
snapshot, and the filters, sorts, facets and answers of the API. A stored field also needs a migration, and a field that
the API tells a column of the view that the snapshot is read from; docs/how-to/add-a-series-field.md shows all of it.

The module imports no other of ours, so that normalization can use it without knowing the catalogue.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal

import pyarrow as pa


class SqlType(StrEnum):
    """Types of the fields, by their names in PostgreSQL."""

    TEXT = "text"
    TEXTS = "text[]"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    BIGINT = "bigint"
    REAL = "real"
    DOUBLE = "double precision"
    DATE = "date"
    TIMESTAMP = "timestamp with time zone"
    JSON = "jsonb"


ARROW_TYPES: Final[dict[SqlType, pa.DataType]] = {
    SqlType.TEXT: pa.string(),
    SqlType.TEXTS: pa.list_(pa.string()),
    SqlType.BOOLEAN: pa.bool_(),
    SqlType.INTEGER: pa.int32(),
    SqlType.BIGINT: pa.int64(),
    SqlType.REAL: pa.float32(),
    SqlType.DOUBLE: pa.float64(),
    SqlType.DATE: pa.date32(),
    SqlType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    SqlType.JSON: pa.string(),
}
"""Type of the column in row files and in the search snapshot; Polars takes these as they are."""

PYTHON_TYPES: Final[dict[SqlType, object]] = {
    SqlType.TEXT: str,
    SqlType.TEXTS: list[str],
    SqlType.BOOLEAN: bool,
    SqlType.INTEGER: int,
    SqlType.BIGINT: int,
    SqlType.REAL: float,
    SqlType.DOUBLE: float,
    SqlType.DATE: date,
    SqlType.TIMESTAMP: datetime,
    SqlType.JSON: dict[str, object],
}
"""Type of the value in Python and in the models of the API."""


class Origin(StrEnum):
    """Where a field's value comes from."""

    ROW = "row"
    """A column of the row file `series`, kept under the same name in the table `series`."""
    PARENT = "parent"
    """A column of the row file `series`, kept in `study`, `subject` or `collection`."""
    LOAD = "load"
    """A column of the table `series` that the load fills in."""
    VIEW = "view"
    """Computed by the view that the search snapshot is read from."""


@dataclass(frozen=True, slots=True)
class SeriesField:
    """One field of a series."""

    name: str
    """In the row file, the table, the snapshot and the answers of the API."""
    type: SqlType
    description: str
    """For people, with the unit of measure; stands in the description of the API."""
    _: KW_ONLY
    origin: Origin = Origin.ROW
    required: bool = False
    """Never null."""
    value_filter: str | None = None
    """The API's parameter that asks for one of several values; `unknown` asks for null."""
    values: tuple[str, ...] = ()
    """All values that there can be; empty where any text may be one."""
    range_filter: str | None = None
    """What the API's two parameters for limits begin with; see `range_parameters`."""
    limits: tuple[float, float] | None = None
    """Smallest and largest number that the range filter takes."""
    sort: str | None = None
    """The API's name for the order by this field."""
    facet: bool = False
    """Series are counted by value; the facet has the name of the value filter."""
    words: bool = False
    """The full-text filter looks into it."""
    shown: Literal["list", "detail"] | None = None
    """In every answer of the API that tells a series, or only where one series is asked for."""

    @property
    def range_parameters(self) -> tuple[str, str] | None:
        """The API's parameters for the lower and the upper limit, both included in the range."""
        if self.range_filter is None:
            return None
        lower, upper = ("from", "to") if self.type is SqlType.DATE else ("min", "max")
        return f"{self.range_filter}_{lower}", f"{self.range_filter}_{upper}"


_PLANES: Final = ("axial", "coronal", "sagittal")
_TEXT, _INTEGER, _REAL, _DATE = SqlType.TEXT, SqlType.INTEGER, SqlType.REAL, SqlType.DATE
_PARENT, _VIEW = Origin.PARENT, Origin.VIEW

# fmt: off
SERIES_FIELDS: Final[tuple[SeriesField, ...]] = (
    SeriesField("series_uid", _TEXT, "SeriesInstanceUID", required=True, value_filter="uid", shown="list"),
    SeriesField("study_uid", _TEXT, "StudyInstanceUID", origin=_PARENT, required=True, value_filter="study",
                shown="list"),
    SeriesField("archive", _TEXT, "where it came from: tcia, idc, hcp, folder", origin=_PARENT, required=True,
                value_filter="archive", facet=True, shown="list"),
    SeriesField("collection", _TEXT, "the archive's name of the collection", origin=_PARENT, required=True,
                value_filter="collection", facet=True, words=True, shown="list"),
    SeriesField("subject", _TEXT, "public patient identifier", origin=_PARENT, required=True, value_filter="subject",
                words=True, shown="list"),
    SeriesField("species", _TEXT, "whose head it is", required=True, value_filter="species",
                values=("human", "dog", "mouse", "rat", "phantom", "other"), facet=True, shown="list"),
    SeriesField("sex", _TEXT, "as the series tells it", value_filter="sex", facet=True, shown="list"),
    SeriesField("age_years", _REAL, "age at the study, years", range_filter="age", limits=(0, 200), sort="age",
                shown="list"),
    SeriesField("study_date", _DATE, "date of the study as the series tells it"),
    SeriesField("study_description", _TEXT, "from the archive's public record", words=True, shown="list"),
    SeriesField("series_date", _DATE, "date of the series; often shifted by the archive", range_filter="date",
                sort="date", shown="list"),
    SeriesField("series_description", _TEXT, "from the archive's public record", words=True, shown="list"),
    SeriesField("series_number", _INTEGER, "number of the series within its study"),
    SeriesField("protocol_name", _TEXT, "from the archive's public record", words=True, shown="list"),
    SeriesField("modality", _TEXT, "MR, as a rule", required=True, shown="list"),
    SeriesField("body_part", _TEXT, "as the archive tells it; most brain series do not say BRAIN"),
    SeriesField("sequence", _TEXT, "T1, T1CE, T2, FLAIR, DWI ...; null where it cannot be told",
                value_filter="sequence", facet=True, words=True, shown="list"),
    SeriesField("manufacturer", _TEXT, "of the scanner", value_filter="manufacturer", facet=True, words=True,
                shown="list"),
    SeriesField("manufacturer_model", _TEXT, "model of the scanner", value_filter="model", facet=True, words=True,
                shown="list"),
    SeriesField("software_versions", _TEXT, "of the scanner"),
    SeriesField("field_strength_tesla", _REAL, "tesla", range_filter="field_strength", limits=(0, 100),
                sort="field_strength", shown="list"),
    SeriesField("echo_time_ms", _REAL, "milliseconds", shown="detail"),
    SeriesField("repetition_time_ms", _REAL, "milliseconds", shown="detail"),
    SeriesField("inversion_time_ms", _REAL, "milliseconds", shown="detail"),
    SeriesField("flip_angle_deg", _REAL, "degrees", shown="detail"),
    SeriesField("acquisition_type", _TEXT, "MR acquisition type, 2D or 3D; null where the files do not say",
                value_filter="acquisition_type", values=("2D", "3D"), facet=True, shown="list"),
    SeriesField("plane", _TEXT, "acquired plane, from geometry alone", required=True, value_filter="plane",
                values=_PLANES, facet=True, words=True, shown="list"),
    SeriesField("text_plane", _TEXT, "plane that the description claims, where it claims one", shown="detail"),
    SeriesField("obliquity_deg", _REAL, "angle between the slice normal and its main axis, degrees", required=True,
                shown="list"),
    SeriesField("rows", _INTEGER, "rows of the acquired matrix", required=True, shown="list"),
    SeriesField("columns", _INTEGER, "columns of the acquired matrix", required=True, shown="list"),
    SeriesField("slice_count", _INTEGER, "acquired slices of one volume", required=True, sort="slice_count",
                shown="list"),
    SeriesField("volume_count", _INTEGER, "volumes in the series: echoes, directions, times", required=True,
                shown="detail"),
    SeriesField("row_spacing_mm", _REAL, "distance between rows, millimetres", required=True, shown="list"),
    SeriesField("column_spacing_mm", _REAL, "distance between columns, millimetres", required=True, shown="list"),
    SeriesField("slice_spacing_mm", _REAL, "distance between slice centres, millimetres", required=True, shown="list"),
    SeriesField("slice_thickness_mm", _REAL, "nominal slice thickness, millimetres", range_filter="thickness",
                limits=(0, 1000), shown="list"),
    SeriesField("slice_gaps", _INTEGER, "places where a slice is missing", required=True, shown="detail"),
    SeriesField("slice_duplicates", _INTEGER, "identical slices that were dropped", required=True, shown="detail"),
    SeriesField("window_low", SqlType.DOUBLE, "modality value shown as 0, of volume 0", required=True, shown="detail"),
    SeriesField("window_high", SqlType.DOUBLE, "modality value shown as 255, of volume 0", required=True,
                shown="detail"),
    SeriesField("transfer_syntax", _TEXT, "UID of the DICOM encoding it arrived in; null for NIfTI"),
    SeriesField("license_name", _TEXT, "licence it may be passed on under", value_filter="license", facet=True,
                shown="list"),
    SeriesField("license_url", _TEXT, "text of the licence", shown="list"),
    SeriesField("citation_url", _TEXT, "what to cite", shown="list"),
    SeriesField("source_url", _TEXT, "where the archive shows it", shown="list"),
    SeriesField("raw_key", _TEXT, "object with the bytes as received", required=True),
    SeriesField("raw_sha256", _TEXT, "SHA-256 of the bytes as received", required=True, shown="detail"),
    SeriesField("sidecar_key", _TEXT, "object that tells how the packs were made", required=True),
    SeriesField("profile", _TEXT, "normalization profile", required=True, shown="detail"),
    SeriesField("extra", SqlType.JSON, "allow-listed tags and archive fields that have no column", required=True,
                shown="detail"),
    SeriesField("published_at", SqlType.TIMESTAMP, "when the newest run that carried it was published",
                origin=Origin.LOAD, required=True, sort="newest", shown="list"),
    SeriesField("spacing_mm", _REAL, "the largest voxel spacing, millimetres", origin=_VIEW, required=True,
                range_filter="spacing", limits=(0, 1000), sort="spacing", shown="list"),
    SeriesField("field_strength", _TEXT, "nominal class of the field strength, tesla", origin=_VIEW,
                value_filter="field_strength", values=("<1", "1", "1.5", "3", "7"), facet=True),
    SeriesField("shown_planes", SqlType.TEXTS, "planes that its slices show, acquired or reformatted", origin=_VIEW,
                required=True, value_filter="shown_plane", values=_PLANES, facet=True),
    SeriesField("shown_slices", _INTEGER, "slices of its reference volume: acquired and reformatted",
                origin=_VIEW, required=True, shown="list"),
    SeriesField("slices_axial", _INTEGER, "shown slices in the axial plane", origin=_VIEW, required=True),
    SeriesField("slices_coronal", _INTEGER, "shown slices in the coronal plane", origin=_VIEW, required=True),
    SeriesField("slices_sagittal", _INTEGER, "shown slices in the sagittal plane", origin=_VIEW, required=True),
    SeriesField("tumor", SqlType.BOOLEAN, "what the label that counts says; null where nobody said", origin=_VIEW,
                value_filter="tumor", values=("true", "false"), facet=True, shown="list"),
    SeriesField("label_source", _TEXT, "who says so: a reader goes before a mask, a mask before the collection",
                origin=_VIEW, value_filter="label_source", values=("reader", "mask", "collection"), facet=True,
                shown="list"),
    SeriesField("tumor_probability", _REAL, "by the active model, 0 to 1; null where it has not looked or declined",
                origin=_VIEW, range_filter="score", limits=(0, 1), sort="score", shown="list"),
    SeriesField("model_tumor", SqlType.BOOLEAN, "the active model's verdict; null where it has not looked or declined",
                origin=_VIEW),
    SeriesField("model_version", _TEXT, "the model that gave the probability", origin=_VIEW, shown="list"),
    SeriesField("series_id", SqlType.BIGINT, "stable hash of the SeriesInstanceUID; breaks ties of every order",
                origin=Origin.LOAD, required=True),
    SeriesField("study_id", SqlType.BIGINT, "stable hash of the StudyInstanceUID", origin=Origin.LOAD, required=True),
    SeriesField("subject_id", SqlType.BIGINT, "stable hash of the patient identifier", origin=Origin.LOAD,
                required=True),
    SeriesField("collection_id", SqlType.BIGINT, "stable hash of archive and collection", origin=Origin.LOAD,
                required=True),
    SeriesField("cover_pack_id", SqlType.BIGINT, "pack of the slice that stands for the series", origin=_VIEW),
    SeriesField("cover_index", _INTEGER, "number of that slice: the middle one of the acquired plane", origin=_VIEW),
)
# fmt: on

ROW_FIELDS: Final = tuple(field for field in SERIES_FIELDS if field.origin in {Origin.ROW, Origin.PARENT})
"""The columns of the row file `series`, in its order."""


def row_schema() -> pa.Schema:
    """The Arrow schema of the row file `series`, by which normalization and the catalogue hand series over."""
    return pa.schema(
        [pa.field(field.name, ARROW_TYPES[field.type], nullable=not field.required) for field in ROW_FIELDS]
    )
