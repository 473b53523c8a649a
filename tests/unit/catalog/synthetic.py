"""Published runs made of nothing: row files in the shape of normalization's schemas, for tests of the catalogue.

Series number `n` of a run is always the same row, so that runs can overlap, repeat and contradict each other at will.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from braingranary.normalization import rows
from braingranary.records import Plane
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

PROFILE: Final = "test-1"
SHA: Final = hashlib.sha256(b"zip").hexdigest()
SEQUENCES: Final = ("T1", "T1CE", "T2", "FLAIR", None)
VENDORS: Final = ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", None)


@dataclass(kw_only=True)
class RunTables:
    """Rows by table, each a mapping of column to value."""

    series: list[dict[str, Any]] = field(default_factory=list)
    packs: list[dict[str, Any]] = field(default_factory=list)
    slices: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)


def uid(number: int) -> str:
    """Series UID of series `number`."""
    return f"1.2.826.0.1.{number + 1}"


def series_row(number: int, **changes: Any) -> dict[str, Any]:
    """The row of series `number`: five series a subject, two a study."""
    row: dict[str, Any] = {
        "series_uid": uid(number),
        "study_uid": f"1.2.826.0.2.{number // 2 + 1}",
        "archive": "tcia",
        "collection": f"Set-{number % 3}",
        "subject": f"P-{number // 6}",
        "species": "human",
        "sex": ("F", "M", None)[number // 6 % 3],
        "age_years": 40.5 + number % 30,
        "study_date": date(2020, 1, 1 + number % 28),
        "study_description": f"Brain study {number // 2}",
        "series_date": date(2020, 2, 1 + number % 28),
        "series_description": f'AX T1, "post" {number}',
        "series_number": number,
        "protocol_name": None,
        "modality": "MR",
        "body_part": "",
        "sequence": SEQUENCES[number % 5],
        "manufacturer": VENDORS[number % 4],
        "manufacturer_model": "Model",
        "software_versions": None,
        "field_strength_tesla": 1.5,
        "echo_time_ms": 2.98,
        "repetition_time_ms": 2300.0,
        "inversion_time_ms": None,
        "flip_angle_deg": 9.0,
        "plane": "axial",
        "text_plane": "axial",
        "obliquity_deg": 1.25,
        "rows": 256,
        "columns": 240,
        "slice_count": 4,
        "volume_count": 1,
        "row_spacing_mm": 0.9375,
        "column_spacing_mm": 0.9375,
        "slice_spacing_mm": 1.2,
        "slice_thickness_mm": 1.2,
        "slice_gaps": 0,
        "slice_duplicates": 0,
        "window_low": 3.25,
        "window_high": 1034.5,
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "acquisition_type": "3D",
        "license_name": "CC BY 4.0",
        "license_url": "https://creativecommons.org/licenses/by/4.0/",
        "citation_url": None,
        "source_url": None,
        "raw_key": f"raw/tcia/Set-{number % 3}/{uid(number)}/{SHA}.zip",
        "raw_sha256": SHA,
        "sidecar_key": keys.sidecar(PROFILE, uid(number)),
        "profile": PROFILE,
        "extra": json.dumps({"StationName": "MR1", "n": number}),
    }
    return {**row, **changes}


def pack_rows(
    number: int, *, planes: Sequence[Plane] = (Plane.AXIAL,), slices: int = 4, first_byte: int = 40
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Packs of series `number` and their slices, each of 100 bytes with a header of 40 before it."""
    packs, members = [], []
    for plane in planes:
        identity = {"series_uid": uid(number), "volume": 0, "plane": str(plane)}
        packs.append(
            {
                **identity,
                "acquired": plane is Plane.AXIAL,
                "object_key": keys.slice_pack(PROFILE, uid(number), 0, plane),
                "pack_bytes": first_byte + slices * 140 + 500,
                "sha256": hashlib.sha256(f"{number} {plane} {slices} {first_byte}".encode()).hexdigest(),
                "slice_count": slices,
                "width": 240,
                "height": 256,
                "pixel_width_mm": 0.9375,
                "pixel_height_mm": 0.9375,
                "slice_spacing_mm": 1.2,
            }
        )
        members += [
            {
                **identity,
                "slice_index": index,
                "position_mm": -50 + 1.2 * index,
                "byte_offset": first_byte + index * 140,
                "byte_length": 100,
                "crc32": zlib.crc32(f"{number} {plane} {index}".encode()),
            }
            for index in range(slices)
        ]
    return packs, members


def tables(numbers: Iterable[int], *, planes: Sequence[Plane] = (Plane.AXIAL,), slices: int = 4) -> RunTables:
    """A run of the series `numbers`."""
    result = RunTables()
    for number in numbers:
        result.series.append(series_row(number, slice_count=slices))
        packs, members = pack_rows(number, planes=planes, slices=slices)
        result.packs += packs
        result.slices += members
    return result


def label_row(
    number: int, *, tumor: bool, source: str, index: int | None = None, plane: str = "axial"
) -> dict[str, Any]:
    """A label of a slice, or without `index` of the whole series."""
    whole = index is None
    return {
        "series_uid": uid(number),
        "plane": None if whole else plane,
        "volume": None if whole else 0,
        "slice_index": index,
        "tumor": tumor,
        "source": source,
    }


def reject_row(series_uid: str, **changes: Any) -> dict[str, Any]:
    """A series that could not be used."""
    row = {
        "archive": "tcia",
        "collection": "Set-0",
        "series_uid": series_uid,
        "code": "localizer",
        "step": "normalize",
        "detail": "three orthogonal slices",
        "object_key": None,
        "fatal": True,
    }
    return {**row, **changes}


def publish(store: ObjectStore, run: str, *parts: RunTables) -> None:
    """Write the row files of `parts` and publish `run`."""
    publish_arrow(
        store,
        run,
        [
            {name: pa.Table.from_pylist(getattr(part, name), schema=schema) for name, schema in rows.TABLES.items()}
            for part in parts
        ],
    )


def publish_arrow(store: ObjectStore, run: str, parts: Sequence[Mapping[str, pa.Table]]) -> None:
    """The same from Arrow tables, for runs too large for rows of Python."""
    listed = []
    for number, part in enumerate(parts):
        name = f"{number:04d}"
        written = {}
        for table, content in part.items():
            sink = io.BytesIO()
            pq.write_table(content, sink)
            written[table] = keys.run_object("normalize", run, f"parts/{name}/{table}.parquet")
            store.put(written[table], sink.getvalue())
        listed.append(
            {
                "part": name,
                "raw_keys": [],
                "tables": written,
                "rows": {table: content.num_rows for table, content in part.items()},
            }
        )
    body = json.dumps({"run": run, "profile": PROFILE, "parts": listed}).encode()
    assert store.put(keys.run_object("normalize", run, "published.json"), body, if_absent=True)


def publish_ingest(store: ObjectStore, run: str, rejects: Sequence[Mapping[str, Any]]) -> None:
    """Publish an ingest run that carries `rejects`."""
    body = json.dumps({"run": run, "rejects": list(rejects)}).encode()
    assert store.put(keys.run_object("ingest", run, "published.json"), body, if_absent=True)


def many_slices(series: int, slices: int, *, first: int = 0) -> dict[str, pa.Table]:
    """One part of `series` series with one pack of `slices` slices each, built by numpy."""
    small = tables(range(first, first + series), slices=1)
    for pack in small.packs:
        pack["slice_count"] = slices
        pack["pack_bytes"] = 40 + slices * 140 + 500
    index = np.tile(np.arange(slices, dtype=np.int32), series)
    uids = pa.array([row["series_uid"] for row in small.series])
    total = series * slices
    member = pa.table(
        {
            "series_uid": uids.take(pa.array(np.repeat(np.arange(series), slices))),
            "volume": pa.array(np.zeros(total, np.int16)),
            "plane": pa.repeat(pa.scalar("axial"), total),
            "slice_index": pa.array(index),
            "position_mm": pa.array((index * 1.2 - 90).astype(np.float32)),
            "byte_offset": pa.array(40 + index.astype(np.int64) * 140),
            "byte_length": pa.array(np.full(total, 100, np.int32)),
            "crc32": pa.array(np.random.default_rng(first).integers(0, 2**32, total, dtype=np.int64)),
        },
        schema=rows.SLICES,
    )
    content = {
        name: pa.Table.from_pylist(getattr(small, name), schema=schema)
        for name, schema in rows.TABLES.items()
        if name != "slices"
    }
    return {**content, "slices": member}
