"""The sidecar: JSON beside the slice packs that tells how they were made and where their pixels lie in the patient.

It holds the profile with its values, the versions of the libraries that decide the bytes, the hash of the input, and
for each volume its grid, window and packs. Goes in: what was read and what was encoded. Comes out: canonical JSON
bytes, or the parsed geometry of a sidecar. Fails with RejectedInput(MANIFEST_INVALID) on bytes that are no sidecar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import ReadVolume, SeriesImages
from braingranary.normalization.encode import EncodedVolume
from braingranary.normalization.profile import Profile
from braingranary.records import Plane, Receipt
from braingranary.storage import keys

SCHEMA_VERSION: Final = 1
_LIBRARIES: Final = (
    "imagecodecs",
    "numpy",
    "pillow",
    "pydicom",
    "simplejpeg",
)
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarPack:
    """One pack as told in the sidecar."""

    name: str
    plane: Plane
    acquired: bool
    sha256: str
    bytes: int
    slices: int
    height: int
    width: int
    affine: Annotated[Matrix, Field(description="maps (slice, row, column, 1) of its pictures to (R, A, S, 1) in mm")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarVolume:
    """One volume: its grid, its window and its packs."""

    volume: int
    plane: Plane
    obliquity_deg: float
    shape: tuple[int, int, int]
    dtype: str
    affine: Annotated[
        Matrix, Field(description="maps (slice, row, column, 1) of the stored voxels to (R, A, S, 1) in mm")
    ]
    rescale_slope: float
    rescale_intercept: float
    inverted: bool
    window_low: Annotated[float, Field(description="modality value shown as 0")]
    window_high: Annotated[float, Field(description="modality value shown as 255")]
    window_bin_width: float
    gaps: int
    uneven: bool
    duplicates: int
    sheared: bool
    image_kind: str | None
    echo_time_ms: float | None
    inversion_time_ms: float | None
    b_value: float | None
    b_direction: tuple[float, float, float] | None
    temporal_position: int | None
    packs: tuple[SidecarPack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """How one series was normalized."""

    schema: int
    series_uid: str
    study_uid: str
    archive: str
    collection: str
    raw_key: str
    raw_sha256: str
    transfer_syntax: str | None
    profile: str
    profile_values: dict[str, float | int]
    libraries: dict[str, str]
    volumes: tuple[SidecarVolume, ...]

    def to_json(self) -> bytes:
        """Canonical JSON: the same sidecar gives the same bytes."""
        return _SIDECAR.dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes) -> Sidecar:
        """The sidecar told by `text`; raises RejectedInput(MANIFEST_INVALID)."""
        try:
            return _SIDECAR.validate_json(text)
        except ValidationError as error:
            raise RejectedInput(Code.MANIFEST_INVALID, "not a sidecar") from error


_SIDECAR: Final = TypeAdapter(Sidecar)


def make_sidecar(images: SeriesImages, encoded: Sequence[EncodedVolume], receipt: Receipt, profile: Profile) -> Sidecar:
    """The sidecar of one normalized series."""
    record = receipt.record
    volumes = zip(images.volumes, encoded, strict=True)
    return Sidecar(
        schema=SCHEMA_VERSION,
        series_uid=record.series_uid,
        study_uid=images.study_uid or record.study_uid,
        archive=record.archive,
        collection=record.collection,
        raw_key=receipt.raw_key,
        raw_sha256=receipt.sha256,
        transfer_syntax=images.transfer_syntax,
        profile=profile.name,
        profile_values=profile.values(),
        libraries=library_versions(),
        volumes=tuple(
            _volume(number, read, made, record.series_uid, profile) for number, (read, made) in enumerate(volumes)
        ),
    )


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide the bytes of a slice; `profile.ALGORITHM_VERSION` stands for our code."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def _volume(number: int, read: ReadVolume, made: EncodedVolume, series_uid: str, profile: Profile) -> SidecarVolume:
    slices, rows, columns = made.grid.voxels.shape
    return SidecarVolume(
        volume=number,
        plane=made.plane,
        obliquity_deg=made.obliquity_deg,
        shape=(slices, rows, columns),
        dtype=made.grid.voxels.dtype.name,
        affine=_matrix(made.grid.affine),
        rescale_slope=made.grid.slope,
        rescale_intercept=made.grid.intercept,
        inverted=made.grid.inverted,
        window_low=made.window.low,
        window_high=made.window.high,
        window_bin_width=made.window.bin_width,
        gaps=read.gaps,
        uneven=read.uneven,
        duplicates=read.duplicates,
        sheared=read.sheared,
        image_kind=read.image_kind,
        echo_time_ms=read.echo_time_ms,
        inversion_time_ms=read.inversion_time_ms,
        b_value=read.b_value,
        b_direction=read.b_direction,
        temporal_position=read.temporal_position,
        packs=tuple(
            SidecarPack(
                name=keys.slice_pack(profile.name, series_uid, number, pack.plane).rsplit("/", 1)[1],
                plane=pack.plane,
                acquired=pack.acquired,
                sha256=pack.sha256,
                bytes=len(pack.pack.data),
                slices=len(pack.pack.entries),
                height=pack.height,
                width=pack.width,
                affine=_matrix(pack.affine),
            )
            for pack in made.packs
        ),
    )


def _matrix(affine: NDArray[np.float64]) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in affine)
