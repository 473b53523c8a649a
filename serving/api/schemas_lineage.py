"""What the routes of lineage and sidecar answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from serving.api.schemas import Answer

Matrix = list[list[float]]


class Source(Answer):
    """Where a series came from, and on what terms."""

    archive: str
    collection: str
    source_url: str | None = Field(description="where the archive shows it")
    license_name: str | None
    license_url: str | None
    citation_url: str | None


class RawFile(Answer):
    """The bytes as received; null where no receipt tells."""

    sha256: str
    zip_bytes: int | None = None
    image_count: int | None = None
    image_bytes: int | None = None
    md5_verified: int | None = Field(default=None, description="images that matched the MD5 which the archive sent")
    content_sha256: str | None = Field(default=None, description="of the images alone, however they were zipped")
    staged_at: datetime | None = None


class Making(Answer):
    """How the slices were made."""

    profile: str
    profile_values: dict[str, float | int] | None = Field(description="null where no sidecar tells")
    libraries: dict[str, str] | None = Field(description="versions of those that decide the bytes")
    transfer_syntax: str | None = Field(description="DICOM encoding that the series arrived in; null for NIfTI")


class Loading(Answer):
    """Which run brought it."""

    run: str | None
    published_at: datetime


class PackFile(Answer):
    """One pack as a file."""

    volume: int
    plane: str
    acquired: bool = Field(description="false: a reformat of the acquired plane")
    sha256: str
    pack_bytes: int
    slice_count: int


class Lineage(BaseModel):
    """From the archive to the slices: what anyone needs to check or repeat it."""

    series_uid: str
    study_uid: str
    source: Source
    raw: RawFile
    normalization: Making
    catalogue: Loading
    packs: list[PackFile]
    sidecar_url: str


class SidecarPack(Answer):
    """One pack as told in the sidecar."""

    name: str
    plane: str
    acquired: bool
    sha256: str
    bytes: int
    slices: int
    height: int
    width: int
    affine: Matrix = Field(description="maps (slice, row, column, 1) of its pictures to (R, A, S, 1) in mm")


class SidecarVolume(Answer):
    """One volume: its grid, its window and its packs."""

    volume: int
    plane: str
    obliquity_deg: float
    shape: list[int]
    dtype: str
    affine: Matrix = Field(description="maps (slice, row, column, 1) of the stored voxels to (R, A, S, 1) in mm")
    rescale_slope: float
    rescale_intercept: float
    inverted: bool
    window_low: float = Field(description="modality value shown as 0")
    window_high: float = Field(description="modality value shown as 255")
    window_bin_width: float
    gaps: int
    uneven: bool
    duplicates: int
    sheared: bool
    image_kind: str | None
    echo_time_ms: float | None
    inversion_time_ms: float | None
    b_value: float | None
    b_direction: list[float] | None
    temporal_position: int | None
    packs: list[SidecarPack]


class Sidecar(Answer):
    """How one series was normalized: enough to undo the window and to place every pixel in the patient."""

    schema_version: int
    series_uid: str
    study_uid: str
    archive: str
    collection: str
    raw_sha256: str
    transfer_syntax: str | None
    profile: str
    profile_values: dict[str, float | int]
    libraries: dict[str, str]
    volumes: list[SidecarVolume]


def sidecar_answer(values: dict[str, Any]) -> Sidecar:
    """The sidecar's own fields without its key in the store."""
    return Sidecar.model_validate({**values, "schema_version": values["schema"]})
