"""A catalogue at scale: series of the real index of a million public DICOM series, written by COPY.

Why this index: collections, patients, scanners, descriptions, dates and licences of `idc-index-data` are as skewed, as
empty and as misspelt as they really are, which no generator thinks of. What it lacks (geometry, field strength, packs)
is synthesised from numbers that are the same each time. There are no rows of single slices, which search does not
read. Goes in: a connection to an empty, migrated catalogue. Comes out: a catalogue that the search snapshot is built
from as from any other.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import idc_index_data
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
from psycopg import sql

from braingranary.catalog.schema.row_keys import column_ids
from braingranary.dicom.header import vocabulary
from braingranary.normalization import rows
from braingranary.normalization.labels.collection import TUMOR_COLLECTIONS
from braingranary.records import Plane
from braingranary.storage import keys
from tests.unit.catalog.synthetic import PROFILE, SHA

SLICES_MAX: Final = 30  # of one series
PART_SERIES: Final = 65_536
FEW_SERIES: Final = 50_000  # up to so many the head of the index is enough, which is read in no time
ADDRESS: Final = "1.2.3"  # any UID, to take the form of an object key from
FIELDS_TESLA: Final = np.array([1.5, 3.0, 1.494, 2.8936, 1.0, 0.35, 7.0], np.float32)
FIELD_SHARES: Final = (0.42, 0.34, 0.08, 0.08, 0.04, 0.03, 0.01)
SPACINGS_MM: Final = np.array([0.5, 0.9, 1.0, 1.2, 1.5, 3.0, 5.0, 6.5], np.float32)


def index_table(*, modality: str | None = None, series: int | None = None) -> pa.Table:
    """The index, of one modality alone where one is named; at most `series` rows."""
    path = idc_index_data.IDC_INDEX_PARQUET_FILEPATH
    assert path is not None
    file = pq.ParquetFile(path)
    # The head of the index is read in no time.
    few = series is not None and series <= FEW_SERIES
    index = pa.Table.from_batches([next(file.iter_batches(FEW_SERIES))]) if few else file.read()
    if modality is not None:
        index = index.filter(pc.is_in(index["Modality"], pa.array([modality], index.schema.field("Modality").type)))
    # Shuffled, so that every part has series of most collections, as nights bring them.
    return index.take(np.random.default_rng(0).permutation(index.num_rows)[:series])


def fill(connection: psycopg.Connection[Any], index: pa.Table) -> None:
    """Write the series of `index` into an empty, migrated catalogue; `connection` commits each statement."""
    seen: dict[str, set[int]] = {"collection": set(), "subject": set(), "study": set()}
    for number, first in enumerate(range(0, index.num_rows, PART_SERIES)):
        part = tables(index.slice(first, PART_SERIES), seed=first)
        for name, table in _rows(part, published=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=number)).items():
            kept = table
            if name in seen:
                kept = table.filter(pa.array(_first_time(table[f"{name}_id"].to_pylist(), seen[name])))
            _copy(connection, name, kept)
    connection.execute("ANALYZE")


def _rows(part: dict[str, pa.Table], *, published: datetime) -> dict[str, pa.Table]:
    """One part by tables of the catalogue, parents first; rows of parents come once a series."""
    series, packs, labels = part["series"], part["packs"], part["labels"]
    at: Any = pa.scalar(published, pa.timestamp("us", "UTC"))
    ids = {
        "series_id": column_ids("series", _column(series, "series_uid")),
        "study_id": column_ids("study", _column(series, "study_uid")),
        "subject_id": column_ids("subject", _column(series, "subject")),
        "collection_id": column_ids("collection", _column(series, "archive"), _column(series, "collection")),
    }
    whole = series.append_column("patient_id", series["subject"]).append_column("name", series["collection"])
    for name, column in ids.items():
        whole = whole.append_column(name, column)
    whole = whole.append_column("published_at", pa.repeat(at, len(series)))
    volumes = _column(packs, "volume").cast(pa.string())
    pack_ids = column_ids("pack", _column(packs, "series_uid"), volumes, _column(packs, "plane"))
    packs = packs.append_column("pack_id", pack_ids)
    packs = packs.append_column("series_id", column_ids("series", _column(packs, "series_uid")))
    labels = labels.append_column("series_id", column_ids("series", _column(labels, "series_uid")))
    labels = labels.select(["series_id", "tumor", "source"]).append_column("published_at", pa.repeat(at, len(labels)))
    return {"collection": whole, "subject": whole, "study": whole, "series": whole, "pack": packs, "label": labels}


def _column(table: pa.Table, name: str) -> Any:
    return table[name].combine_chunks()


def _first_time(ids: list[Any], seen: set[int]) -> list[bool]:
    """Which keys are not among `seen`, to which they are added."""
    fresh = []
    for key in ids:
        fresh.append(key not in seen)
        seen.add(key)
    return fresh


def _copy(connection: psycopg.Connection[Any], name: str, table: pa.Table) -> None:
    """Those columns of `table` that the catalogue's table has."""
    if not len(table):
        return
    cursor = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(name)))
    columns = [item.name for item in cursor.description or () if item.name in table.column_names]
    text = io.BytesIO()
    pc_csv.write_csv(table.select(columns), text, pc_csv.WriteOptions(include_header=False, quoting_style="needed"))
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(name), listed)
    with connection.cursor().copy(command) as copy:
        copy.write(text.getvalue().replace(b"\0", b""))


def tables(index: pa.Table, *, seed: int) -> dict[str, pa.Table]:
    """The row files of one part: one table each of series, packs and labels."""
    index = index.combine_chunks()
    series = _series(index, np.random.default_rng(seed))
    uids, planes = series["series_uid"], series["plane"]
    counts = series["slice_count"].to_numpy()
    packs = _table(
        rows.PACKS,
        len(counts),
        series_uid=uids,
        volume=0,
        plane=planes,
        acquired=True,
        object_key=_key(keys.slice_pack(PROFILE, ADDRESS, 0, Plane.AXIAL), uids, planes),
        pack_bytes=pa.array(540 + counts.astype(np.int64) * 140),
        sha256=SHA,
        slice_count=series["slice_count"],
        width=256,
        height=256,
        pixel_width_mm=series["column_spacing_mm"],
        pixel_height_mm=series["row_spacing_mm"],
        slice_spacing_mm=series["slice_spacing_mm"],
    )
    labelled = pc.is_in(series["collection"], pa.array(sorted(_tumor_collections()), pa.string()))
    chosen = uids.filter(labelled)
    labels = _table(rows.LABELS, len(chosen), series_uid=chosen, tumor=True, source="collection")
    return {"series": series, "packs": packs, "labels": labels}


def _series(index: pa.Table, random: np.random.Generator) -> pa.Table:
    size = index.num_rows
    uids = index["SeriesInstanceUID"].cast(pa.string())
    described = index["SeriesDescription"].cast(pa.string())
    magnetic = np.array(index["Modality"].to_pylist()) == "MR"
    told = np.array([_told(text) for text in described.to_pylist()], dtype=object).reshape(size, 2)
    planes = np.where(told[:, 1] == "", np.array(list(Plane))[random.integers(0, 3, size)], told[:, 1])
    spacing = SPACINGS_MM[random.integers(0, len(SPACINGS_MM), size)]
    field = random.choice(FIELDS_TESLA, size, p=FIELD_SHARES)
    number = pc.cast(index["SeriesNumber"], pa.int64(), safe=False) if size else index["SeriesNumber"]
    doi: Any = pa.scalar("https://doi.org/")
    return _table(
        rows.SERIES,
        size,
        series_uid=uids,
        study_uid=index["StudyInstanceUID"],
        archive="idc",
        collection=index["collection_id"],
        subject=index["PatientID"],
        species="human",
        sex=pc.if_else(pc.is_in(index["PatientSex"], pa.array(["F", "M", "O"], pa.large_string())),
                       index["PatientSex"], None),
        age_years=_ages(index["PatientAge"]),
        study_date=_dates(index["StudyDate"]),
        study_description=index["StudyDescription"],
        series_date=_dates(index["SeriesDate"]),
        series_description=described,
        series_number=pc.if_else(pc.is_in(number, pa.array(range(10_000), pa.int64())), number, None),
        modality=index["Modality"],
        body_part=index["BodyPartExamined"],
        sequence=pa.array(told[:, 0].astype(str), mask=~magnetic | (told[:, 0] == "")),
        manufacturer=index["Manufacturer"],
        manufacturer_model=index["ManufacturerModelName"],
        field_strength_tesla=pa.array(field, mask=~magnetic),
        plane=pa.array(planes.astype(str)),
        obliquity_deg=0.0,
        rows=256,
        columns=256,
        slice_count=pa.array(np.clip(index["instanceCount"].to_numpy(), 1, SLICES_MAX).astype(np.int32)),
        volume_count=1,
        row_spacing_mm=pa.array(np.minimum(spacing, 1)),
        column_spacing_mm=pa.array(np.minimum(spacing, 1)),
        slice_spacing_mm=pa.array(spacing),
        slice_thickness_mm=pa.array(spacing, mask=random.random(size) < 0.1),
        slice_gaps=0,
        slice_duplicates=0,
        window_low=0.0,
        window_high=1000.0,
        transfer_syntax=pc.fill_null(index["TransferSyntaxUID"], pa.scalar("1.2.840.10008.1.2.1", pa.large_string())),
        license_name=index["license_short_name"],
        citation_url=pc.binary_join_element_wise(doi, index["source_DOI"].cast(pa.string()), ""),
        source_url=index["series_aws_url"],
        raw_key=_key(f"raw/idc/set/{ADDRESS}/{SHA}.zip", uids),
        raw_sha256=SHA,
        sidecar_key=_key(keys.sidecar(PROFILE, ADDRESS), uids),
        profile=PROFILE,
        extra="{}",
    )  # fmt: skip


def _table(schema: pa.Schema, size: int, **values: Any) -> pa.Table:
    """A table of `schema`: columns as given, a constant repeated, null where nothing is given."""
    made: list[Any] = []
    for field in schema:
        value = values.pop(field.name, None)
        if not isinstance(value, (pa.Array, pa.ChunkedArray)):
            value = pa.repeat(pa.scalar(value, field.type), size)
        made.append(value.cast(field.type))
    assert not values, sorted(values)
    return pa.table(made, schema=schema)


def _key(like: str, uids: Any, planes: Any = None) -> Any:
    """Object keys of the form of `like`, each with its own UID and plane."""
    before, after = like.split(ADDRESS)
    parts: list[Any] = [pa.scalar(before), uids]
    if planes is None:
        return pc.binary_join_element_wise(*parts, pa.scalar(after), "")
    middle, end = after.split(str(Plane.AXIAL))
    return pc.binary_join_element_wise(*parts, pa.scalar(middle), planes.cast(pa.string()), pa.scalar(end), "")


def _ages(texts: Any) -> Any:
    """Years of DICOM ages such as 063Y; anything else is not known."""
    years = pc.if_else(pc.match_substring_regex(texts, r"^\d{3}Y$"), pc.utf8_slice_codeunits(texts, 0, 3), None)
    return years.cast(pa.float32())


def _dates(texts: Any) -> Any:
    return pc.strptime(texts, format="%Y-%m-%d", unit="s", error_is_null=True).cast(pa.date32())


@cache
def _told(text: str | None) -> tuple[str, str]:
    """What a description says of sequence and plane; empty where it says nothing."""
    if not text:
        return "", ""
    return vocabulary.sequence_of([text], contrast=None) or "", vocabulary.plane_of_text([text]) or ""


def _tumor_collections() -> set[str]:
    """The tumour collections by the names that this index gives them."""
    return {name.lower().replace("-", "_").replace(" ", "_") for name in TUMOR_COLLECTIONS}
