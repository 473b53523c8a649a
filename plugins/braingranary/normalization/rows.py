"""The row files between normalization and the catalogue: five Arrow schemas, the contract of both sides.

A task of the Spark job writes one Parquet file a schema; `catalog.load` reads them by name. A column is added here
together with a migration; none is ever removed or given a new meaning.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from braingranary.storage.row_files import REJECTS, schema

SERIES: Final = schema(
    [
        pa.field("series_uid", pa.string(), nullable=False),
        pa.field("study_uid", pa.string(), nullable=False),
        pa.field("archive", pa.string(), nullable=False),
        pa.field("collection", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("species", pa.string(), nullable=False),
        pa.field("sex", pa.string()),
        pa.field("age_years", pa.float32()),
        pa.field("study_date", pa.date32()),
        pa.field("study_description", pa.string()),
        pa.field("series_date", pa.date32()),
        pa.field("series_description", pa.string()),
        pa.field("series_number", pa.int32()),
        pa.field("protocol_name", pa.string()),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("body_part", pa.string()),
        pa.field("sequence", pa.string()),  # T1, T1CE, T2, FLAIR, DWI, ... or null: told from physics tags and text
        pa.field("manufacturer", pa.string()),
        pa.field("manufacturer_model", pa.string()),
        pa.field("software_versions", pa.string()),
        pa.field("field_strength_tesla", pa.float32()),
        pa.field("echo_time_ms", pa.float32()),
        pa.field("repetition_time_ms", pa.float32()),
        pa.field("inversion_time_ms", pa.float32()),
        pa.field("flip_angle_deg", pa.float32()),
        pa.field("plane", pa.string(), nullable=False),  # acquired plane, from geometry
        pa.field("text_plane", pa.string()),  # plane that the description claims, if it claims one
        pa.field("obliquity_deg", pa.float32(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("columns", pa.int32(), nullable=False),
        pa.field("slice_count", pa.int32(), nullable=False),  # acquired slices of one volume
        pa.field("volume_count", pa.int32(), nullable=False),
        pa.field("row_spacing_mm", pa.float32(), nullable=False),
        pa.field("column_spacing_mm", pa.float32(), nullable=False),
        pa.field("slice_spacing_mm", pa.float32(), nullable=False),
        pa.field("slice_thickness_mm", pa.float32()),
        pa.field("slice_gaps", pa.int32(), nullable=False),  # places where a slice is missing
        pa.field("slice_duplicates", pa.int32(), nullable=False),  # identical slices that were dropped
        pa.field("window_low", pa.float64(), nullable=False),  # modality values shown as 0 and 255 (volume 0)
        pa.field("window_high", pa.float64(), nullable=False),
        pa.field("transfer_syntax", pa.string(), nullable=False),
        pa.field("license_name", pa.string()),
        pa.field("license_url", pa.string()),
        pa.field("citation_url", pa.string()),
        pa.field("source_url", pa.string()),
        pa.field("raw_key", pa.string(), nullable=False),
        pa.field("raw_sha256", pa.string(), nullable=False),
        pa.field("sidecar_key", pa.string(), nullable=False),
        pa.field("profile", pa.string(), nullable=False),
        pa.field("extra", pa.string(), nullable=False),  # JSON object: allow-listed tags and archive fields
    ]
)

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
