"""One series as read to everything that is made of it: slice packs, a sidecar and the rows of the catalogue.

Pure: images and receipt in, values out, nothing read or written elsewhere, and the same input gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import SeriesHeader, SeriesImages
from braingranary.normalization.encode import EncodedVolume, PlanePack, encode_volume
from braingranary.normalization.labels.collection import collection_labels
from braingranary.normalization.profile import Profile
from braingranary.normalization.sidecar import Sidecar, make_sidecar
from braingranary.normalization.tables import RowSet
from braingranary.records import Json, Receipt, Reject, SeriesRecord
from braingranary.storage import keys
from braingranary.storage.row_files import Row, reject_row

STEP: Final = "normalize"
VOLUMES_MAX: Final = 999  # the number stands with three digits in the pack's name


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NormalizedPack:
    """One slice pack with the key it belongs at."""

    key: str
    data: bytes


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NormalizedSeries:
    """What one series became."""

    series_uid: str
    packs: tuple[NormalizedPack, ...]
    sidecar_key: str
    sidecar: Sidecar
    rows: RowSet
    """Rows of `series`, `packs`, `slices`, `labels` and, for files that were left out, `rejects`."""


def normalize_series(images: SeriesImages, receipt: Receipt, profile: Profile, *, workers: int = 1) -> NormalizedSeries:
    """Normalize one series.

    Args:
        images: the series as `normalization.readers` read it.
        receipt: the receipt of its raw object; its record names the series where the files do not.
        profile: how slices are made.
        workers: threads that share the work; they do not change a byte of the result.

    Raises:
        RejectedInput: SERIES_MIXED, SERIES_TOO_LARGE, VOLUME_BLANK or GEOMETRY_INVALID.

    """
    record = receipt.record
    uid = record.series_uid
    if images.series_uid not in (None, uid):
        raise RejectedInput(Code.SERIES_MIXED, "the files are of another series than the archive said")
    if len(images.volumes) > VOLUMES_MAX:
        raise RejectedInput(Code.SERIES_TOO_LARGE, f"more than {VOLUMES_MAX} volumes in one series")
    encoded = tuple(
        encode_volume(read, profile, reformats=number == 0, workers=workers)
        for number, read in enumerate(images.volumes)
    )
    sidecar = make_sidecar(images, encoded, receipt, profile)
    rows = RowSet()
    rows.add("series", [_series_row(images, encoded, receipt, profile)])
    packs = list(_packs(uid, encoded, profile))
    for volume, pack, stored in packs:
        rows.add("packs", [_pack_row(uid, volume, pack, stored.key)])
        rows.add("slices", _slice_rows(uid, volume, pack))
    rows.add("labels", collection_labels(uid, record))
    rows.add("rejects", _file_rejects(images, receipt))
    return NormalizedSeries(
        series_uid=uid,
        packs=tuple(stored for _, _, stored in packs),
        sidecar_key=keys.sidecar(profile.name, uid),
        sidecar=sidecar,
        rows=rows,
    )


def _packs(
    series_uid: str, encoded: tuple[EncodedVolume, ...], profile: Profile
) -> Iterator[tuple[int, PlanePack, NormalizedPack]]:
    for volume, made in enumerate(encoded):
        for pack in made.packs:
            key = keys.slice_pack(profile.name, series_uid, volume, pack.plane)
            yield volume, pack, NormalizedPack(key=key, data=pack.pack.data)


def _series_row(images: SeriesImages, encoded: tuple[EncodedVolume, ...], receipt: Receipt, profile: Profile) -> Row:
    """Facts of geometry and physics come from the header, names and texts from the archive's own record."""
    made = encoded[0]
    slices, rows, columns = made.grid.voxels.shape
    slice_spacing, row_spacing, column_spacing = made.grid.spacing_mm
    return {
        **_record_columns(receipt.record, images.header),
        **_physics_columns(images.header),
        "series_uid": receipt.record.series_uid,
        "study_uid": images.study_uid or receipt.record.study_uid,
        "plane": str(made.plane),
        "obliquity_deg": made.obliquity_deg,
        "rows": rows,
        "columns": columns,
        "slice_count": slices,
        "volume_count": len(images.volumes),
        "row_spacing_mm": row_spacing,
        "column_spacing_mm": column_spacing,
        "slice_spacing_mm": slice_spacing,
        "slice_gaps": sum(read.gaps for read in images.volumes),
        "slice_duplicates": sum(read.duplicates for read in images.volumes),
        "window_low": made.window.low,
        "window_high": made.window.high,
        "transfer_syntax": images.transfer_syntax,
        "raw_key": receipt.raw_key,
        "raw_sha256": receipt.sha256,
        "sidecar_key": keys.sidecar(profile.name, receipt.record.series_uid),
        "profile": profile.name,
        "extra": _extra(receipt.record, images),
    }


def _record_columns(record: SeriesRecord, header: SeriesHeader) -> dict[str, object]:
    return {
        "archive": record.archive,
        "collection": record.collection,
        "subject": record.subject_id,
        "species": str(record.species),
        "sex": record.sex or header.sex,
        "age_years": record.age_years if record.age_years is not None else header.age_years,
        "study_date": record.study_date or header.study_date,
        "study_description": record.study_description,
        "series_date": record.series_date or header.series_date,
        "series_description": record.series_description,
        "series_number": record.series_number if record.series_number is not None else header.series_number,
        "protocol_name": record.protocol_name,
        "body_part": record.body_part or header.body_part,
        "manufacturer": record.manufacturer or header.manufacturer,
        "manufacturer_model": record.manufacturer_model or header.manufacturer_model,
        "software_versions": record.software_versions or header.software_versions,
        "license_name": record.license_name,
        "license_url": record.license_url,
        "citation_url": record.citation_url,
        "source_url": record.source_url,
    }


def _physics_columns(header: SeriesHeader) -> dict[str, object]:
    return {
        "modality": header.modality,
        "sequence": header.sequence,
        "field_strength_tesla": header.field_strength_tesla,
        "echo_time_ms": header.echo_time_ms,
        "repetition_time_ms": header.repetition_time_ms,
        "inversion_time_ms": header.inversion_time_ms,
        "flip_angle_deg": header.flip_angle_deg,
        "acquisition_type": header.acquisition_type,
        "slice_thickness_mm": header.slice_thickness_mm,
        "text_plane": None if header.text_plane is None else str(header.text_plane),
    }


def _extra(record: SeriesRecord, images: SeriesImages) -> str:
    """What has no column yet, as canonical JSON: allow-listed tags under `header`, archive fields under `archive`."""
    header = images.header
    told: dict[str, Json] = {
        **header.extra,
        "image_type": list(header.image_type),
        "scanning_sequence": list(header.scanning_sequence),
        "contrast": header.contrast,
    }
    kept = {name: value for name, value in told.items() if value not in (None, [])}
    extra = {"archive": dict(record.extra), "header": kept}
    return json.dumps(extra, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _pack_row(series_uid: str, volume: int, pack: PlanePack, key: str) -> Row:
    slice_spacing, pixel_height, pixel_width = pack.spacing_mm
    return {
        "series_uid": series_uid,
        "volume": volume,
        "plane": str(pack.plane),
        "acquired": pack.acquired,
        "object_key": key,
        "pack_bytes": len(pack.pack.data),
        "sha256": pack.sha256,
        "slice_count": len(pack.pack.entries),
        "width": pack.width,
        "height": pack.height,
        "pixel_width_mm": pixel_width,
        "pixel_height_mm": pixel_height,
        "slice_spacing_mm": slice_spacing,
    }


def _slice_rows(series_uid: str, volume: int, pack: PlanePack) -> Iterator[Row]:
    for index, (entry, position) in enumerate(zip(pack.pack.entries, pack.positions_mm, strict=True)):
        yield {
            "series_uid": series_uid,
            "volume": volume,
            "plane": str(pack.plane),
            "slice_index": index,
            "position_mm": position,
            "byte_offset": entry.offset,
            "byte_length": entry.length,
            "crc32": entry.crc32,
        }


def _file_rejects(images: SeriesImages, receipt: Receipt) -> Iterator[Row]:
    """One row a code: which files they were stands in the log, their names are the archive's business."""
    counts: dict[Code, int] = {}
    for reject in images.file_rejects:
        counts[reject.code] = counts.get(reject.code, 0) + 1
    for code, count in sorted(counts.items()):
        yield reject_row(
            Reject(
                archive=receipt.record.archive,
                collection=receipt.record.collection,
                series_uid=receipt.record.series_uid,
                code=code,
                step=STEP,
                detail=f"{count} file(s) of the series were left out",
                object_key=receipt.raw_key,
                fatal=False,
            )
        )
