"""Which images of a series belong to one volume, which are copies, and which have to be left out.

A series may hold several volumes (echoes, diffusion weightings, time points, magnitude and phase). Traits win over
places: where a trait of whole volumes differs at one place, or its values lie among each other along the stack, every
value is a volume of its own. Where a place is still filled several times, the first of these that works tells the
images apart: acquisition number, dimension indices of the file, time, trigger time, instance number. The n-th visit of
every place is then the n-th volume; where a run was stopped, its complete volumes are kept and the rest is left out.

A copy has the SOP instance UID of another image, or equals it in everything that tells time, and has its pixels.
Images that nothing tells apart raise RejectedInput(SLICES_CONFLICT).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom.assembly.clusters import chained, labelled, labelled_vectors
from braingranary.dicom.assembly.geometry import SAME_POSITION_MM, Grid, along_normal, stack_slices
from braingranary.dicom.frames import Frame
from braingranary.dicom.pixels import clean_into
from braingranary.errors import Code, RejectedInput

TIME_TOLERANCE_MS: Final = 0.005
"""Echo and inversion times closer than this are equal."""
B_VALUE_TOLERANCE: Final = 0.5
"""Diffusion weightings closer than this (s/mm2) are equal."""
DIRECTION_TOLERANCE: Final = 0.001
"""Diffusion directions (unit vectors) closer than this are equal."""
COMPLETE_SHARE_MIN: Final = 0.5
"""A run that was stopped is kept where at least this share of its images is in complete volumes."""
OVERLAP_MIN: Final = 0.5
"""Two sets of slices lie among each other where they share more than this of the shorter one's extent."""
_HALF_DAY_S: Final = 43_200.0
_DAY_S: Final = 86_400.0

_ALWAYS: Final = ("image_kind", "b_value", "b_direction", "temporal_position", "scan_direction", "label_type")
"""Traits that never differ between slices of one volume; echo and inversion may, in packages of slices."""


@dataclass(frozen=True, slots=True, eq=False)
class VolumeFrames:
    """The images of one volume."""

    frames: Sequence[Frame]
    copies: int
    """How many copies of them were dropped."""
    repetition: int
    """Number among the volumes that have the same traits, from 0."""


def volume_groups(frames: Sequence[Frame]) -> tuple[list[VolumeFrames], list[Frame]]:
    """Cut frames that share orientation, matrix and spacing into volumes.

    Args:
        frames: at least one.

    Returns:
        The volumes, in an order that depends on traits and times alone, and the frames of unfinished volumes.

    Raises:
        RejectedInput: SLICES_CONFLICT.

    """
    along = along_normal(common_grid(frames), np.array([frame.position for frame in frames]))
    places = [int(place) for place in chained(along, SAME_POSITION_MM)]
    labels = _trait_labels(frames)
    chosen = [
        name
        for name, of_frames in labels.items()
        if _differs_at_a_place(of_frames, places) or _lies_among(name, of_frames, along, frames)
    ]
    indices = range(len(frames))
    volumes: list[VolumeFrames] = []
    left_out: list[Frame] = []
    for members in _split(indices, lambda index: tuple(labels[name][index] for name in chosen)):
        own = [frames[index] for index in members]
        repetitions, copies, left = _repetitions(own, [places[index] for index in members])
        left_out.extend(left)
        volumes.extend(
            VolumeFrames(repetition, copies if number == 0 else 0, number)
            for number, repetition in enumerate(repetitions)
        )
    return volumes, left_out


def common_grid(frames: Sequence[Frame]) -> Grid:
    """The grid that most of `frames` have to the last digit, of equals the smallest: whatever their order."""
    counts = Counter(frame.grid for frame in frames)
    return min(counts, key=lambda grid: (-counts[grid], grid.row_direction, grid.column_direction))


def _trait_labels(frames: Sequence[Frame]) -> dict[str, list[int]]:
    """For each trait by its name a label of every frame; labels rise with the values, unknown first."""
    traits = [frame.traits for frame in frames]
    return {
        "image_kind": _ranked([trait.image_kind for trait in traits]),
        "echo_time_ms": labelled([trait.echo_time_ms for trait in traits], TIME_TOLERANCE_MS),
        "inversion_time_ms": labelled([trait.inversion_time_ms for trait in traits], TIME_TOLERANCE_MS),
        "b_value": labelled([trait.b_value for trait in traits], B_VALUE_TOLERANCE),
        "b_direction": labelled_vectors([trait.b_direction for trait in traits], DIRECTION_TOLERANCE),
        "temporal_position": _ranked([trait.temporal_position for trait in traits]),
        "scan_direction": labelled_vectors([trait.scan_direction for trait in traits], DIRECTION_TOLERANCE),
        "echo_number": _ranked([trait.echo_number for trait in traits]),
        "phase_number": _ranked([trait.phase_number for trait in traits]),
        "label_type": _ranked([trait.label_type for trait in traits]),
    }


def _ranked(values: Sequence[str | int | None]) -> list[int]:
    ranks = {value: rank for rank, value in enumerate(sorted({v for v in values if v is not None}, key=_sort_key))}
    return [-1 if value is None else ranks[value] for value in values]


def _sort_key(value: str | int) -> tuple[int, str]:
    return (value, "") if isinstance(value, int) else (0, value)


def _differs_at_a_place(labels: Sequence[int], places: Sequence[int]) -> bool:
    first: dict[int, int] = {}
    return any(first.setdefault(place, label) != label for label, place in zip(labels, places, strict=True))


def _lies_among(name: str, labels: Sequence[int], along: NDArray[np.float64], frames: Sequence[Frame]) -> bool:
    """Whether the slices of different values lie among each other, so that they are no parts of one stack."""
    groups = _split(range(len(labels)), lambda index: labels[index])
    if len(groups) < 2 or -1 in labels or min(len(group) for group in groups) < 2:
        return False
    extents = sorted((float(along[group].min()), float(along[group].max())) for group in map(np.array, groups))
    for (low, high), (next_low, next_high) in pairwise(extents):
        shared = min(high, next_high) - max(low, next_low)
        if shared <= OVERLAP_MIN * min(high - low, next_high - next_low):
            return False
    return name in _ALWAYS or _stacked_unevenly(frames)


def _stacked_unevenly(frames: Sequence[Frame]) -> bool:
    return stack_slices(common_grid(frames), np.array([frame.position for frame in frames])).uneven


def _split(indices: Sequence[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        groups[key(index)].append(index)
    return [groups[found] for found in sorted(groups)]  # type: ignore[type-var]


def _repetitions(frames: list[Frame], places: list[int]) -> tuple[list[list[Frame]], int, list[Frame]]:
    """Volumes with one frame a place, how many copies were dropped, and frames of unfinished volumes."""
    if len(set(places)) == len(places):
        return _by_moved_acquisition(frames) or [frames], 0, []
    count = len(frames)
    frames, places = _without_copies(frames, places)
    found = _told_apart(frames, places)
    if found is None:
        frames, places = _without_equal_pixels(frames, places)
        if len(set(places)) != len(places):
            raise RejectedInput(Code.SLICES_CONFLICT, "different images at one place and nothing tells them apart")
        found = [frames], []
    return found[0], count - len(frames), found[1]


def _told_apart(frames: list[Frame], places: list[int]) -> tuple[list[list[Frame]], list[Frame]] | None:
    if len(set(places)) == len(places):
        return [frames], []
    volumes = _by_acquisition(frames, places) or _by_dimensions(frames, places)
    if volumes is not None:
        return volumes, []
    orders = [
        order
        for order in (
            _acquisition_times(frames),
            [frame.timing.trigger_time_ms for frame in frames],
            [frame.timing.instance_number for frame in frames],
            [frame.timing.content_time_s for frame in frames],
        )
        if _orders_every_place(order, places)
    ]
    for order in orders:
        if (volumes := _by_visits(frames, places, order)) is not None:
            return volumes, []
    for order in orders:
        if (found := _complete_rounds(frames, places, order)) is not None:
            return found
    return None


def _without_copies(frames: list[Frame], places: list[int]) -> tuple[list[Frame], list[int]]:
    """Frames without those that have the pixels of an earlier one at their place, and its UID or all its times."""
    names = [(place, frame.timing.instance_uid) for frame, place in zip(frames, places, strict=True)]
    times = [(place, frame.traits, frame.timing[:-1]) for frame, place in zip(frames, places, strict=True)]
    crowded = {key for key, count in Counter([*names, *times]).items() if count > 1}
    seen: set[Hashable] = set()
    kept: list[int] = []
    for index, frame in enumerate(frames):
        keys = [key for key in (names[index], times[index]) if key in crowded and key[1] != ""]
        whole = {(key, _digest(frame)) for key in keys}
        if not whole & seen:
            kept.append(index)
        seen |= whole
    return [frames[index] for index in kept], [places[index] for index in kept]


def _without_equal_pixels(frames: list[Frame], places: list[int]) -> tuple[list[Frame], list[int]]:
    seen: set[Hashable] = set()
    kept: list[int] = []
    crowded = {place for place, count in Counter(places).items() if count > 1}
    for index, (frame, place) in enumerate(zip(frames, places, strict=True)):
        if place in crowded:
            whole = (place, _digest(frame))
            if whole in seen:
                continue
            seen.add(whole)
        kept.append(index)
    return [frames[index] for index in kept], [places[index] for index in kept]


def _digest(frame: Frame) -> bytes:
    cleaned = np.empty(frame.pixels.shape, dtype=frame.form.dtype)
    clean_into(cleaned, frame.pixels, frame.form)
    return hashlib.blake2b(cleaned.data, digest_size=16).digest()


def _by_acquisition(frames: list[Frame], places: list[int]) -> list[list[Frame]] | None:
    """One volume an acquisition number, where that leaves one frame a place."""
    ranks = _ranked([frame.traits.acquisition for frame in frames])
    groups = _split(range(len(frames)), lambda index: ranks[index])
    return [[frames[i] for i in group] for group in groups] if _one_a_place(groups, places) else None


def _by_moved_acquisition(frames: list[Frame]) -> list[list[Frame]] | None:
    """One volume an acquisition number, where a stack of all is uneven and the stacks of each lie among each other."""
    ranks = _ranked([frame.traits.acquisition for frame in frames])
    groups = _split(range(len(frames)), lambda index: ranks[index])
    if len(groups) < 2 or not _stacked_unevenly(frames):
        return None
    along = along_normal(common_grid(frames), np.array([frame.position for frame in frames]))
    if not _lies_among("acquisition", ranks, along, frames):
        return None
    volumes = [[frames[index] for index in group] for group in groups]
    return None if any(_stacked_unevenly(volume) for volume in volumes) else volumes


def _by_dimensions(frames: list[Frame], places: list[int]) -> list[list[Frame]] | None:
    """One volume a value of the file's own dimension indices: all that vary at a place, or else one of them."""
    indices = [frame.traits.dimensions or () for frame in frames]
    width = min(len(values) for values in indices)
    columns = [[values[column] for values in indices] for column in range(width)]
    varying = [column for column in columns if _differs_at_a_place(column, places)]
    fewest = len(frames) * COMPLETE_SHARE_MIN
    for choice in ([varying] if varying else []) + [[column] for column in varying[:8]]:
        keys = list(zip(*choice, strict=True))
        groups = _split(range(len(frames)), lambda index, keys=keys: keys[index])  # type: ignore[misc]
        full = sum(len(group) for group in groups if len(group) == len(set(places)))
        if _one_a_place(groups, places) and full >= fewest:
            return [[frames[index] for index in group] for group in groups]
    return None


def _one_a_place(groups: Sequence[Sequence[int]], places: Sequence[int]) -> bool:
    return all(len({places[index] for index in group}) == len(group) for group in groups)


def _acquisition_times(frames: Sequence[Frame]) -> list[float | None]:
    """Seconds of every frame; where files tell no date, those behind midnight count on."""
    times = [frame.timing.time_s for frame in frames]
    known = [time for time in times if time is not None]
    if known and max(known) < _DAY_S and max(known) - min(known) > _HALF_DAY_S:
        return [time + _DAY_S if time is not None and time < _HALF_DAY_S else time for time in times]
    return times


def _orders_every_place(order: Sequence[object], places: Sequence[int]) -> bool:
    """Whether every frame has a value and no two frames at one place have the same."""
    return None not in order and len(set(zip(places, order, strict=True))) == len(places)


def _by_visits(frames: list[Frame], places: list[int], order: Sequence[object]) -> list[list[Frame]] | None:
    """The first, second, ... frame of every place, where all places are filled alike."""
    by_place: dict[int, list[int]] = defaultdict(list)
    for index in sorted(range(len(frames)), key=lambda index: order[index]):  # type: ignore[arg-type, return-value]
        by_place[places[index]].append(index)
    if len({len(members) for members in by_place.values()}) != 1:
        return None
    return [[frames[index] for index in visit] for visit in zip(*by_place.values(), strict=True)]


def _complete_rounds(
    frames: list[Frame], places: list[int], order: Sequence[object]
) -> tuple[list[list[Frame]], list[Frame]] | None:
    """Rounds over all places, one after the other, and the frames of rounds that were not finished."""
    rounds: list[dict[int, Frame]] = [{}]
    for index in sorted(range(len(frames)), key=lambda index: order[index]):  # type: ignore[arg-type, return-value]
        if places[index] in rounds[-1]:
            rounds.append({})
        rounds[-1][places[index]] = frames[index]
    whole = len(set(places))
    complete = [list(each.values()) for each in rounds if len(each) == whole]
    if len(complete) * whole < COMPLETE_SHARE_MIN * len(frames):
        return None
    return complete, [frame for each in rounds if len(each) < whole for frame in each.values()]
