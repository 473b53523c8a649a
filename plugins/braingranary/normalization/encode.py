"""One volume to slice packs: window, 8 bits, planes, JPEG, pack.

Goes in: a volume as read and the profile. Comes out: its packs, the window and the geometry of each pack. Fails with
RejectedInput (VOLUME_BLANK, GEOMETRY_INVALID, SERIES_TOO_LARGE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from braingranary.imaging import jpeg
from braingranary.imaging.intensity import Window, to_grey
from braingranary.imaging.planes import (
    PlaneStack,
    acquired_stack,
    is_near_isotropic,
    plane_of,
    reformatted_stacks,
    square_pixels,
)
from braingranary.imaging.series import ReadVolume
from braingranary.imaging.slicepack import Pack, write_pack
from braingranary.imaging.volume import Volume
from braingranary.normalization.profile import Profile
from braingranary.records import Plane

REFORMAT_DEPTH_MIN: Final = 16  # acquired slices: across fewer, a reformat is a strip, not an image


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlanePack:
    """The slice pack of one plane, and where its slices lie."""

    plane: Plane
    acquired: bool
    pack: Pack
    sha256: str
    width: int
    height: int
    spacing_mm: tuple[float, float, float]
    """Distance between slices, pixel height, pixel width."""
    affine: NDArray[np.float64]
    """4x4, maps (slice, row, column, 1) of the pack's images to (R, A, S, 1) in millimetres."""
    positions_mm: tuple[float, ...]
    """Centre of each slice along the plane's own axis."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EncodedVolume:
    """All packs of one volume, the acquired plane first."""

    plane: Plane
    obliquity_deg: float
    window: Window
    packs: tuple[PlanePack, ...]
    grid: Volume
    """The volume without its voxels: their shape and type alone (an array that takes no memory)."""


def encode_volume(read: ReadVolume, profile: Profile, *, reformats: bool = True, workers: int = 1) -> EncodedVolume:
    """The packs of one volume.

    Args:
        read: the volume with its geometry.
        profile: how slices are made.
        reformats: whether the planes that were not acquired are made too, where they would show the head as it is.
        workers: threads that share the work; they do not change a byte.

    Raises:
        RejectedInput: VOLUME_BLANK, GEOMETRY_INVALID or SERIES_TOO_LARGE.

    """
    volume = read.volume
    plane, obliquity = plane_of(volume.affine)
    grey, window = to_grey(volume, profile.window_rule, workers=workers)
    stacks = [acquired_stack(grey, volume.affine)]
    if reformats and _can_be_cut(read, volume, profile):
        cut = reformatted_stacks(grey, volume.affine, slices=profile.reformat_slices)
        stacks.extend(square_pixels(stack) for stack in cut)
    packs = tuple(_packed(stack, profile, workers) for stack in stacks)
    blank = np.broadcast_to(np.zeros((), dtype=volume.voxels.dtype), volume.voxels.shape)
    return EncodedVolume(
        plane=plane, obliquity_deg=obliquity, window=window, packs=packs, grid=replace(volume, voxels=blank)
    )


def _can_be_cut(read: ReadVolume, volume: Volume, profile: Profile) -> bool:
    """Whether the other planes would show the head as it is: even, unsheared, near-isotropic and deep enough."""
    regular = not (read.gaps or read.uneven or read.sheared)
    return (
        regular
        and profile.reformat_slices > 0
        and volume.voxels.shape[0] >= REFORMAT_DEPTH_MIN
        and is_near_isotropic(volume.spacing_mm, profile.isotropy_limit)
    )


def _packed(stack: PlaneStack, profile: Profile, workers: int) -> PlanePack:
    _, height, width = stack.slices.shape
    pack = write_pack(_jpegs(stack.slices, profile.jpeg_quality, workers))
    return PlanePack(
        plane=stack.plane,
        acquired=stack.acquired,
        pack=pack,
        sha256=hashlib.sha256(pack.data).hexdigest(),
        width=width,
        height=height,
        spacing_mm=stack.spacing_mm,
        affine=stack.affine,
        positions_mm=tuple(float(position) for position in stack.positions_mm),
    )


def _jpegs(slices: NDArray[np.uint8], quality: int, workers: int) -> Iterable[bytes]:
    if workers == 1:
        return (jpeg.encode(image, quality=quality) for image in slices)
    with ThreadPoolExecutor(workers) as pool:  # the encoder lets go of the interpreter lock
        return list(pool.map(lambda image: jpeg.encode(image, quality=quality), slices))
