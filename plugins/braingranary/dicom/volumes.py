"""From frames to volumes: which images belong together, which are copies, and the voxels in one array.

A series may hold several volumes (echoes, diffusion weightings, time points, magnitude and phase). Frames at distinct
places are one volume; where a place is filled several times, the traits that differ there tell the volumes apart, then
the acquisition number, then the time of acquisition. Images that nothing tells apart are dropped where they are equal
to the last bit and refused with SLICES_CONFLICT where they are not.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom.frames import Frame, Traits
from braingranary.dicom.geometry import SAME_POSITION_MM, along_normal, stack_slices
from braingranary.dicom.pixels import clean_into
from braingranary.dicom.series import ReadVolume
from braingranary.errors import Code, RejectedInput
from braingranary.imaging.volume import Volume

_TRAITS_BY_NATURE = Traits._fields[:-1]  # the acquisition number is tried last: scanners also count it up by slice


def build_volumes(frames: Sequence[Frame]) -> tuple[ReadVolume, ...]:
    """Volumes of `frames`, which share orientation, matrix and spacing; in an order that depends on traits alone."""
    places = _places(frames)
    groups: list[tuple[Sequence[Frame], Sequence[int]]] = [(frames, places)]
    varying = [name for name in _TRAITS_BY_NATURE if _varies(frames, places, name)]
    if varying:
        groups = _split(frames, places, lambda frame: tuple(getattr(frame.traits, name) for name in varying))
    volumes: list[ReadVolume] = []
    for members, at in groups:
        unique, unique_at, copies = _without_copies(members, at)
        for index, repetition in enumerate(_repetitions(unique, unique_at)):
            volumes.append(_volume(repetition, copies if index == 0 else 0, index))
    return tuple(volumes)


def _places(frames: Sequence[Frame]) -> list[int]:
    """A number for each frame's place along the normal, equal for frames at the same place."""
    positions = np.array([frame.position for frame in frames])
    along = along_normal(frames[0].grid, positions)
    order = np.argsort(along, kind="stable")
    steps = np.concatenate(([0], np.cumsum(np.diff(along[order]) > SAME_POSITION_MM)))
    places = np.empty(len(frames), dtype=np.int64)
    places[order] = steps
    return [int(place) for place in places]


def _varies(frames: Sequence[Frame], places: Sequence[int], name: str) -> bool:
    """Whether trait `name` differs between frames at one place."""
    first: dict[int, object] = {}
    for frame, place in zip(frames, places, strict=True):
        value = getattr(frame.traits, name)
        if first.setdefault(place, value) != value:
            return True
    return False


def _split(
    frames: Sequence[Frame], places: Sequence[int], key: Callable[[Frame], Hashable]
) -> list[tuple[Sequence[Frame], Sequence[int]]]:
    groups: dict[Hashable, tuple[list[Frame], list[int]]] = defaultdict(lambda: ([], []))
    for frame, place in zip(frames, places, strict=True):
        members, at = groups[key(frame)]
        members.append(frame)
        at.append(place)
    return [groups[found] for found in sorted(groups, key=_sortable)]


def _sortable(key: Hashable) -> tuple[object, ...]:
    """None sorts before every value, and a tuple before a longer one."""
    parts = key if isinstance(key, tuple) else (key,)
    return tuple((part is not None, part if part is not None else 0) for part in parts)


def _without_copies(frames: Sequence[Frame], places: Sequence[int]) -> tuple[list[Frame], list[int], int]:
    """Frames without exact copies at the same place, and how many were dropped."""
    if len(set(places)) == len(places):
        return list(frames), list(places), 0
    crowded = {place for place, count in Counter(places).items() if count > 1}
    seen: set[tuple[int, bytes]] = set()
    kept: list[Frame] = []
    kept_at: list[int] = []
    for frame, place in zip(frames, places, strict=True):
        if place in crowded:
            print_of_pixels = (place, _digest(frame))
            if print_of_pixels in seen:
                continue
            seen.add(print_of_pixels)
        kept.append(frame)
        kept_at.append(place)
    return kept, kept_at, len(frames) - len(kept)


def _digest(frame: Frame) -> bytes:
    cleaned = np.empty(frame.pixels.shape, dtype=frame.form.dtype)
    clean_into(cleaned, frame.pixels, frame.form)
    return hashlib.blake2b(cleaned.data, digest_size=16).digest()


def _repetitions(frames: list[Frame], places: list[int]) -> list[list[Frame]]:
    """Split frames that still share places by acquisition number, else by the order of their times."""
    most = max(Counter(places).values())
    if most == 1:
        return [frames]
    by_number = _split(frames, places, lambda frame: frame.traits.acquisition)
    if all(len(set(at)) == len(at) for _, at in by_number):
        return [list(members) for members, _ in by_number]
    by_place: dict[int, list[Frame]] = defaultdict(list)
    for frame, place in zip(frames, places, strict=True):
        by_place[place].append(frame)
    rounds: list[list[Frame]] = [[] for _ in range(most)]
    for members in by_place.values():
        members.sort(key=lambda frame: frame.time)
        times = [frame.time for frame in members]
        if len(members) != most or len(set(times)) != len(times):
            raise RejectedInput(Code.SLICES_CONFLICT, "different images at one place and nothing tells them apart")
        for index, frame in enumerate(members):
            rounds[index].append(frame)
    return rounds


def _volume(frames: Sequence[Frame], copies: int, repetition: int) -> ReadVolume:
    stack = stack_slices(frames[0].grid, np.array([frame.position for frame in frames]))
    ordered = [frames[index] for index in stack.order]
    voxels, slope, intercept = _voxels(ordered)
    traits = ordered[0].traits
    temporal = traits.temporal_position
    return ReadVolume(
        volume=Volume(
            voxels=voxels,
            affine=stack.affine,
            slope=slope,
            intercept=intercept,
            inverted=ordered[0].form.inverted,
        ),
        positions_mm=stack.positions_mm,
        gaps=stack.gaps,
        uneven=stack.uneven,
        duplicates=copies,
        sheared=stack.sheared,
        image_kind=traits.image_kind,
        echo_time_ms=traits.echo_time_ms,
        inversion_time_ms=traits.inversion_time_ms,
        b_value=traits.b_value,
        b_direction=traits.b_direction,
        temporal_position=temporal if temporal is not None else repetition + 1 if repetition else None,
    )


def _voxels(frames: Sequence[Frame]) -> tuple[NDArray[np.generic], float, float]:
    """Voxels (slices, rows, columns) with the rescale that still applies to them."""
    first = frames[0]
    shape = (len(frames), first.grid.rows, first.grid.columns)
    alike = all(f.slope == first.slope and f.intercept == first.intercept for f in frames)
    dtypes = {frame.form.dtype for frame in frames}
    if alike and len(dtypes) == 1:
        voxels: NDArray[np.generic] = np.empty(shape, dtype=first.form.dtype)
        for target, frame in zip(voxels, frames, strict=True):
            clean_into(target, frame.pixels, frame.form)
        return voxels, first.slope, first.intercept
    scaled = np.empty(shape, dtype=np.float32)
    for target, frame in zip(scaled, frames, strict=True):
        stored = np.empty(frame.pixels.shape, dtype=frame.form.dtype)
        clean_into(stored, frame.pixels, frame.form)
        np.multiply(stored, np.float32(frame.slope), out=target, casting="unsafe")
        np.add(target, np.float32(frame.intercept), out=target)
    return scaled, 1.0, 0.0
