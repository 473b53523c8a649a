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
from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import ReadVolume
from braingranary.imaging.volume import Volume

_TRAITS_BY_NATURE = Traits._fields[:-1]  # the acquisition number is tried last: scanners also count it up by slice


def build_volumes(frames: Sequence[Frame]) -> tuple[ReadVolume, ...]:
    """Volumes of `frames`, which share orientation, matrix and spacing; in an order that depends on traits alone."""
    places = _places(frames)
    varying = [name for name in _TRAITS_BY_NATURE if _varies(frames, places, name)]
    volumes: list[ReadVolume] = []
    for members, at in _split(frames, places, lambda frame: tuple(getattr(frame.traits, name) for name in varying)):
        repetitions, copies = _repetitions(members, at)
        for index, repetition in enumerate(repetitions):
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


def _repetitions(frames: Sequence[Frame], places: Sequence[int]) -> tuple[list[Sequence[Frame]], int]:
    """Frames that may still share places as volumes with one frame a place, and how many copies were dropped.

    Pixels alone do not make a copy at first: the background slices of two time points are often equal.
    """
    if len(set(places)) == len(places):
        return [frames], 0
    count = len(frames)
    frames, places = _without_copies(frames, places, lambda frame: (frame.traits, frame.time))
    found = _by_acquisition(frames, places) or _by_time(frames, places)
    if found is None:
        frames, places = _without_copies(frames, places, lambda _: None)
        if len(set(places)) != len(places):
            raise RejectedInput(Code.SLICES_CONFLICT, "different images at one place and nothing tells them apart")
        found = [frames]
    return found, count - len(frames)


def _without_copies(
    frames: Sequence[Frame], places: Sequence[int], also: Callable[[Frame], Hashable]
) -> tuple[list[Frame], list[int]]:
    """Frames without those that equal an earlier one in place, pixels and `also`."""
    keys = [(place, also(frame)) for frame, place in zip(frames, places, strict=True)]
    crowded = {key for key, count in Counter(keys).items() if count > 1}
    seen: set[Hashable] = set()
    kept: list[Frame] = []
    kept_at: list[int] = []
    for frame, place, key in zip(frames, places, keys, strict=True):
        if key in crowded:
            whole = (key, _digest(frame))
            if whole in seen:
                continue
            seen.add(whole)
        kept.append(frame)
        kept_at.append(place)
    return kept, kept_at


def _digest(frame: Frame) -> bytes:
    cleaned = np.empty(frame.pixels.shape, dtype=frame.form.dtype)
    clean_into(cleaned, frame.pixels, frame.form)
    return hashlib.blake2b(cleaned.data, digest_size=16).digest()


def _by_acquisition(frames: Sequence[Frame], places: Sequence[int]) -> list[Sequence[Frame]] | None:
    """One volume an acquisition number, where that leaves one frame a place."""
    groups = _split(frames, places, lambda frame: frame.traits.acquisition)
    return [members for members, _ in groups] if all(len(set(at)) == len(at) for _, at in groups) else None


def _by_time(frames: Sequence[Frame], places: Sequence[int]) -> list[Sequence[Frame]] | None:
    """The first, second, ... frame of every place by time, where times differ and all places are filled alike."""
    by_place: dict[int, list[Frame]] = defaultdict(list)
    for frame, place in zip(frames, places, strict=True):
        by_place[place].append(frame)
    most = max(len(members) for members in by_place.values())
    rounds: list[list[Frame]] = [[] for _ in range(most)]
    for members in by_place.values():
        members.sort(key=lambda frame: frame.time)
        if len({frame.time for frame in members}) != most or len(members) != most:
            return None
        for index, frame in enumerate(members):
            rounds[index].append(frame)
    return list(rounds)


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
