"""A catalogue at scale: the real index of a million public DICOM series, loaded by the project's own loader.

Why this index: collections, patients, scanners, descriptions, dates and licences of `idc-index-data` are as skewed, as
empty and as misspelt as they really are, which no generator thinks of. What it lacks (geometry, field strength, packs,
slices) is synthesised from numbers that are the same each time; slices follow the series' own number of instances, up
to SLICES_MAX. Goes in: an object store and a connection to an empty, migrated catalogue. Comes out: a catalogue as a
row of loads leaves it, and what they cost.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import idc_index_data
import numpy as np
import psutil
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from braingranary.catalog.load.normalize_run import load_run
from braingranary.dicom.header import vocabulary
from braingranary.normalization import rows
from braingranary.normalization.labels.collection import TUMOR_COLLECTIONS
from braingranary.records import Plane
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.unit.catalog.synthetic import PROFILE, SHA, publish_arrow

SERIES_ALL: Final = 1_044_191
SLICES_MAX: Final = 30  # of one series: with it the whole index makes more than ten million slices
PART_SERIES: Final = 65_536
RUN_PARTS: Final = 2
FEW_SERIES: Final = 50_000  # up to so many the head of the index is enough, which is read in no time
ADDRESS: Final = "1.2.3"  # any UID, to take the form of an object key from
FIELDS_TESLA: Final = np.array([1.5, 3.0, 1.494, 2.8936, 1.0, 0.35, 7.0], np.float32)
FIELD_SHARES: Final = (0.42, 0.34, 0.08, 0.08, 0.04, 0.03, 0.01)
SPACINGS_MM: Final = np.array([0.5, 0.9, 1.0, 1.2, 1.5, 3.0, 5.0, 6.5], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCost:
    """What loading the whole set took."""

    series: int
    slices: int
    seconds: float
    added_rss_mb: float
    """By how much a load raised the resident memory of its process, the largest over the runs."""


def load(connection: psycopg.Connection[Any], store: ObjectStore, *, series: int = SERIES_ALL) -> LoadCost:
    """Publish the first `series` of the shuffled index run by run and load each; the runs' files are deleted again."""
    loaded = slices = 0
    seconds = added = 0.0
    for run, parts in _runs(series):
        publish_arrow(store, run, parts)
        del parts
        process = psutil.Process()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the high-water mark begins anew
        before, start = process.memory_info().rss, time.monotonic()
        report = load_run(connection, store, run)
        seconds += time.monotonic() - start
        added = max(added, _high_water_bytes() - before)
        loaded, slices = loaded + report.series, slices + report.slices
        print(f"{run}: {loaded} series, {slices} slices, {seconds:.0f} s", flush=True)
        store.delete_many([item.key for item in store.list(f"runs/normalize/{run}/")])
    return LoadCost(series=loaded, slices=slices, seconds=seconds, added_rss_mb=added / 1e6)


def night(series: int) -> list[dict[str, pa.Table]]:
    """The part of one more night: so many series that nobody has seen, of studies and collections that stand."""
    path = idc_index_data.IDC_INDEX_PARQUET_FILEPATH
    assert path is not None
    index = pa.Table.from_batches([next(pq.ParquetFile(path).iter_batches(FEW_SERIES))]).slice(0, series)
    at = index.schema.get_field_index("SeriesInstanceUID")
    fresh = pa.array([f"2.25.{number}" for number in range(series)], index.schema.field(at).type)
    return [tables(index.set_column(at, index.schema.field(at), fresh), seed=series)]


def _high_water_bytes() -> int:
    told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert told is not None
    return int(told[1]) * 1024


def _runs(series: int) -> Iterator[tuple[str, list[dict[str, pa.Table]]]]:
    path = idc_index_data.IDC_INDEX_PARQUET_FILEPATH
    assert path is not None
    file = pq.ParquetFile(path)
    head = pa.Table.from_batches([next(file.iter_batches(FEW_SERIES))]) if series <= FEW_SERIES else None
    index = file.read() if head is None else head
    # Shuffled, so that collections are spread over the runs as if they had come night by night.
    order = np.random.default_rng(0).permutation(index.num_rows)[:series]
    for number, first in enumerate(range(0, series, PART_SERIES * RUN_PARTS)):
        chosen = order[first : first + PART_SERIES * RUN_PARTS]
        parts = [
            tables(index.take(chosen[start : start + PART_SERIES]), seed=number * RUN_PARTS + start)
            for start in range(0, len(chosen), PART_SERIES)
        ]
        yield f"scale-{number:02d}", parts


def tables(index: pa.Table, *, seed: int) -> dict[str, pa.Table]:
    """The row files of one part: one table each of series, packs, slices, labels and (no) rejects."""
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
    rejects = rows.TABLES["rejects"].empty_table()
    return {"series": series, "packs": packs, "slices": _slices(uids, planes, counts), "labels": labels,
            "rejects": rejects}  # fmt: skip


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


def _slices(uids: Any, planes: Any, counts: np.ndarray[Any, Any]) -> pa.Table:
    total = int(counts.sum())
    first = np.cumsum(counts) - counts
    index = (np.arange(total) - np.repeat(first, counts)).astype(np.int32)
    at = pa.array(np.repeat(np.arange(len(counts)), counts))
    return _table(
        rows.SLICES,
        total,
        series_uid=uids.take(at),
        volume=0,
        plane=planes.take(at),
        slice_index=pa.array(index),
        position_mm=pa.array((index * 1.2 - 90).astype(np.float32)),
        byte_offset=pa.array(40 + index.astype(np.int64) * 140),
        byte_length=100,
        crc32=pa.array(np.random.default_rng(total).integers(0, 2**32, total, dtype=np.int64)),
    )


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
