"""The row files between normalization and the catalogue: five Arrow schemas, the contract of both sides.

A task of the Spark job writes one Parquet file a schema; `catalog.load` reads them by name. A column of series is added
to `catalog.schema.series_fields`, any other here, together with a migration; none is ever removed or given a new
meaning.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from braingranary.catalog.schema.series_fields import row_schema
from braingranary.storage.row_files import REJECTS, schema

SERIES: Final = row_schema()

PACKS: Final = schema(
    [
        pa.field("series_uid", pa.string(), nullable=False),
        pa.field("volume", pa.int16(), nullable=False),
        pa.field("plane", pa.string(), nullable=False),
        pa.field("acquired", pa.bool_(), nullable=False),  # False: a reformat of the acquired plane
        pa.field("object_key", pa.string(), nullable=False),
        pa.field("pack_bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("slice_count", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("pixel_width_mm", pa.float32(), nullable=False),
        pa.field("pixel_height_mm", pa.float32(), nullable=False),
        pa.field("slice_spacing_mm", pa.float32(), nullable=False),
    ]
)

SLICES: Final = schema(
    [
        pa.field("series_uid", pa.string(), nullable=False),
        pa.field("volume", pa.int16(), nullable=False),
        pa.field("plane", pa.string(), nullable=False),
        pa.field("slice_index", pa.int32(), nullable=False),  # 0-based, by increasing R, A or S
        pa.field("position_mm", pa.float32(), nullable=False),  # centre of the slice along R, A or S
        pa.field("byte_offset", pa.int64(), nullable=False),  # of the JPEG's first byte in the pack
        pa.field("byte_length", pa.int32(), nullable=False),
        pa.field("crc32", pa.int64(), nullable=False),
    ]
)

LABELS: Final = schema(
    [
        pa.field("series_uid", pa.string(), nullable=False),
        pa.field("plane", pa.string()),  # null: the label is of the whole series
        pa.field("volume", pa.int16()),
        pa.field("slice_index", pa.int32()),
        pa.field("tumor", pa.bool_(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # collection, mask, reader or model:<version>
    ]
)

TABLES: Final = {"series": SERIES, "packs": PACKS, "slices": SLICES, "rejects": REJECTS, "labels": LABELS}
