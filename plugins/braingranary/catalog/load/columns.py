"""The columns that staging takes from each row file, in the order of the staging tables' own columns.

The row files' schemas belong to normalization and the detector, which this room does not import; a test holds them
together. Columns that a newer row file has and this list has not are left out until a migration makes room for them.
"""

from __future__ import annotations

from typing import Final

SERIES: Final = (
    "series_uid", "study_uid", "archive", "collection", "subject", "species", "sex", "age_years", "study_date",
    "study_description", "series_date", "series_description", "series_number", "protocol_name", "modality",
    "body_part", "sequence", "manufacturer", "manufacturer_model", "software_versions", "field_strength_tesla",
    "echo_time_ms", "repetition_time_ms", "inversion_time_ms", "flip_angle_deg", "plane", "text_plane",
    "obliquity_deg", "rows", "columns", "slice_count", "volume_count", "row_spacing_mm", "column_spacing_mm",
    "slice_spacing_mm", "slice_thickness_mm", "slice_gaps", "slice_duplicates", "window_low", "window_high",
    "transfer_syntax", "license_name", "license_url", "citation_url", "source_url", "raw_key", "raw_sha256",
    "sidecar_key", "profile", "extra",
)  # fmt: skip
PACKS: Final = (
    "series_uid", "volume", "plane", "acquired", "object_key", "pack_bytes", "sha256", "slice_count", "width",
    "height", "pixel_width_mm", "pixel_height_mm", "slice_spacing_mm",
)  # fmt: skip
SLICES: Final = (
    "series_uid", "volume", "plane", "slice_index", "position_mm", "byte_offset", "byte_length", "crc32",
)  # fmt: skip
REJECTS: Final = ("archive", "collection", "series_uid", "code", "step", "detail", "object_key", "fatal")
LABELS: Final = ("series_uid", "plane", "volume", "slice_index", "tumor", "source")
SERIES_SCORES: Final = (
    "series_id", "input_sha256", "tumor_logit", "tumor_probability", "peak_pack_id", "peak_slice_index", "slice_count",
    "accepted_count", "declined",
)  # fmt: skip
SLICE_SCORES: Final = (
    "pack_id", "slice_index", "tumor_logit", "tumor_probability", "brain_probability", "lesion_area_px",
)  # fmt: skip
