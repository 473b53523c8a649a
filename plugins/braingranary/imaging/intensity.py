"""Intensity: the window of a whole volume, and the volume seen through it in 8 bits.

The window runs from the 0.5th to the 99.5th percentile (by default) of the foreground and is kept, so that grey levels
can be turned back into modality values. Foreground is told from the histogram alone:

1. voxels of the lowest value are padding and are left out;
2. Otsu's threshold splits the rest into dark and bright; bright tissue is the 98th percentile of the bright part, air
   the 2nd percentile of all (BET's robust range, Smith 2002, Hum. Brain Mapp. 17:143, taken above Otsu's split so that
   a small head in a large field of view still counts); foreground begins at most a tenth of the way from air to tissue;
3. below that, the commonest value is the peak of the air's noise. Noise in magnitude images is Rayleigh distributed
   (Gudbjartsson 1995, MRM 34:910), its peak one sigma above no signal at all and 0.03 % of it above four: foreground
   begins there where that is lower, so that a brain far from a surface coil stays out of the black.

So zero padding does not count, air with an offset or with noise does not count, and dark fluid does. Goes in: a
`Volume`. Comes out: a `Window`, or uint8 voxels. Fails with RejectedInput(VOLUME_BLANK) where all values are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.volume import Volume

CODES: Final = 65536  # one histogram bin for every value of 16-bit data
AIR_PERCENTILE: Final = 2.0
TISSUE_PERCENTILE: Final = 98.0
_BLOCK_VOXELS: Final = 1 << 16  # stays in the second-level cache through every pass over it
_PEAK_BOXES: Final = 64  # the dark part of the histogram is smoothed to so many boxes before its peak is sought
_SAMPLE_VOXELS: Final = 1 << 20  # are enough to tell the usual range of real-valued voxels
_WILD_PERCENT: Final = 0.01  # of real-valued voxels at either end may be wild without touching the bins


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Modality values (stored * slope + intercept) shown as grey 0 and as grey 255.

    `low` is above `high` where low values are shown bright (MONOCHROME1).
    """

    low: float
    high: float
    bin_width: float
    """Width of one histogram bin in modality values: how exactly `low` and `high` are known."""

    def undo(self, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Modality values of grey levels, exact to half a grey level for values inside the window; same shape."""
        return np.asarray(self.low + grey.astype(np.float32) * ((self.high - self.low) / 255), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Codes:
    """Voxels as bin numbers: value = origin + step * code."""

    codes: NDArray[np.uint16]
    origin: float
    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule:
    """How a window is found; see the module."""

    low_percentile: float = 0.5
    high_percentile: float = 99.5
    tissue_fraction: float = 0.1
    """Foreground begins at most this far on the way from air to bright tissue."""
    air_sigmas: float = 4.0
    """Foreground begins at most this many sigmas of the air's noise above no signal."""


DEFAULT_RULE: Final = WindowRule()


def window_of(volume: Volume, rule: WindowRule = DEFAULT_RULE) -> Window:
    """The window of one volume; raises RejectedInput(VOLUME_BLANK)."""
    return _window(volume, rule, 1)[0]


def to_grey(volume: Volume, rule: WindowRule = DEFAULT_RULE, *, workers: int = 1) -> tuple[NDArray[np.uint8], Window]:
    """The volume in 8 bits, shape and orientation of its voxels, and the window that was used.

    grey = floor(255 * (value - low) / (high - low) + 1/2), held to 0..255, in single precision: the same bits on every
    machine. `workers` threads share the work. Raises RejectedInput(VOLUME_BLANK).
    """
    window, coded, black, white = _window(volume, rule, workers)
    return _grey(coded.codes, black, white, workers), window


def _window(volume: Volume, rule: WindowRule, workers: int) -> tuple[Window, _Codes, float, float]:
    if volume.slope == 0 or not np.isfinite([volume.slope, volume.intercept]).all():
        raise RejectedInput(Code.VOLUME_BLANK, "the rescale makes all values equal")
    mirrored = volume.inverted != (volume.slope < 0)
    coded = _coded(volume.voxels)
    counts = _histogram(coded.codes, workers)
    black, white = _percentiles(counts[::-1] if mirrored else counts, rule)
    if mirrored:
        black, white = CODES - 1 - black, CODES - 1 - white
    values = [volume.slope * (coded.origin + coded.step * code) + volume.intercept for code in (black, white)]
    width = abs(volume.slope) * coded.step
    return Window(low=float(values[0]), high=float(values[1]), bin_width=width), coded, black, white


def _coded(voxels: NDArray[Any]) -> _Codes:
    """Integers of a small range keep one bin a value; everything else is laid on 65,536 bins over its usual range."""
    if voxels.size == 0:
        raise RejectedInput(Code.VOLUME_BLANK, "the volume has no voxels")
    if np.issubdtype(voxels.dtype, np.integer):
        lowest, highest = int(voxels.min()), int(voxels.max())
        if lowest == highest:
            raise RejectedInput(Code.VOLUME_BLANK, "all voxels are equal")
        if voxels.dtype in (np.uint8, np.uint16):
            return _Codes(voxels.astype(np.uint16, copy=False), 0.0, 1.0)
        if highest - lowest < CODES:
            # Wraps around on purpose: the difference is right modulo 65,536 whatever the sign.
            return _Codes(voxels.astype(np.uint16) - np.uint16(lowest % CODES), float(lowest), 1.0)
    values = _finite(voxels)
    low, high = _usual_range(values)
    step = (high - low) / (CODES - 1)
    if step == 0 or not np.isfinite(step):
        raise RejectedInput(Code.VOLUME_BLANK, "all voxels are equal")
    bins = np.clip(values, low, high)
    bins -= low  # in place from here on: a volume in double precision is large
    bins /= step
    return _Codes(np.rint(bins, out=bins).astype(np.uint16), low, step)


def _finite(voxels: NDArray[Any]) -> NDArray[np.float64]:
    """The voxels in double precision; what is not a number counts as the lowest value there is."""
    values = np.asarray(voxels, dtype=np.float64)
    known = np.isfinite(values)
    if known.all():
        return values
    if not known.any():
        raise RejectedInput(Code.VOLUME_BLANK, "no voxel has a finite value")
    return np.where(known, values, values[known].min())


def _usual_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """The range to lay bins over: a single wild voxel must not make them so wide that the head falls into one."""
    sample = values.reshape(-1)[:: max(1, values.size // _SAMPLE_VOXELS)]
    low, high = (float(bound) for bound in np.percentile(sample, [_WILD_PERCENT, 100 - _WILD_PERCENT]))
    reach = high - low
    if reach == 0:
        return float(values.min()), float(values.max())
    return max(float(values.min()), low - reach), min(float(values.max()), high + reach)


def _histogram(codes: NDArray[np.uint16], workers: int) -> NDArray[np.int64]:
    """Voxels of each code, shape (65536,)."""
    flat = codes.reshape(-1) if codes.flags.c_contiguous else codes.ravel()

    def count(part: NDArray[np.uint16]) -> NDArray[np.int64]:
        counts = np.zeros(CODES, dtype=np.int64)
        for start in range(0, part.size, _BLOCK_VOXELS):
            block = np.bincount(part[start : start + _BLOCK_VOXELS])
            counts[: block.size] += block
        return counts

    total: NDArray[np.int64] = sum(_mapped(count, np.array_split(flat, workers), workers), np.zeros(CODES, np.int64))
    return total


def _percentiles(counts: NDArray[np.int64], rule: WindowRule) -> tuple[float, float]:
    """Codes at the two foreground percentiles of a histogram; the ends of the histogram where they would coincide."""
    used = np.flatnonzero(counts)
    foreground = counts.copy()
    foreground[: _foreground_above(counts, int(used[0]), rule) + 1] = 0
    if foreground.any():
        black, white = _percentile(foreground, rule.low_percentile), _percentile(foreground, rule.high_percentile)
        if black < white:
            return black, white
    return float(used[0]), float(used[-1])


def _foreground_above(counts: NDArray[np.int64], lowest: int, rule: WindowRule) -> int:
    """The highest code that is still background; `lowest` is the lowest code there is."""
    tissue = counts.copy()
    tissue[lowest] = 0
    bright = tissue.copy()
    bright[: _otsu(tissue) + 1] = 0
    air = _percentile(tissue, AIR_PERCENTILE)
    top = _percentile(bright if bright.any() else tissue, TISSUE_PERCENTILE)
    highest = int(air + rule.tissue_fraction * (top - air))
    dark = tissue[lowest : highest + 1]
    if not dark.any():
        return highest
    box = max(3, dark.size // _PEAK_BOXES)
    peak = int(np.argmax(np.convolve(dark, np.ones(box), "same")))
    return min(highest, lowest + int(rule.air_sigmas * max(1, peak)))


def _percentile(counts: NDArray[np.int64], percent: float) -> float:
    """The percentile of the values that a histogram stands for, interpolated between neighbours as numpy does."""
    ends = np.cumsum(counts)
    rank = (int(ends[-1]) - 1) * percent / 100
    below = int(np.floor(rank))
    lower, upper = np.searchsorted(ends, [below, min(below + 1, int(ends[-1]) - 1)], side="right")
    return float(lower + (rank - below) * (upper - lower))


def _otsu(counts: NDArray[np.int64]) -> int:
    """The code up to which a histogram's dark class reaches (Otsu 1979): the variance between classes is largest."""
    weights = counts.astype(np.float64)
    dark = np.cumsum(weights)
    sums = np.cumsum(weights * np.arange(counts.size))
    bright = dark[-1] - dark
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * dark - sums * dark[-1]) ** 2 / (dark * bright)
    return int(np.argmax(np.nan_to_num(between, nan=0.0, posinf=0.0)))


def _grey(codes: NDArray[np.uint16], black: float, white: float, workers: int) -> NDArray[np.uint8]:
    scale = np.float32(255.0 / (white - black))
    shift = np.float32(0.5 - black * 255.0 / (white - black))
    source = np.ascontiguousarray(codes).reshape(-1)
    grey = np.empty(source.size, dtype=np.uint8)

    def show(span: tuple[int, int]) -> None:
        buffer = np.empty(_BLOCK_VOXELS, dtype=np.float32)
        for start in range(span[0], span[1], _BLOCK_VOXELS):
            stop = min(start + _BLOCK_VOXELS, span[1])
            block = buffer[: stop - start]
            np.multiply(source[start:stop], scale, out=block, dtype=np.float32, casting="same_kind")
            block += shift
            np.clip(block, 0.0, 255.0, out=block)
            grey[start:stop] = block  # drops the fraction: with the half in `shift` that rounds

    edges = np.linspace(0, source.size, workers + 1, dtype=np.int64)
    list(_mapped(show, [(int(a), int(b)) for a, b in pairwise(edges)], workers))
    return grey.reshape(codes.shape)


def _mapped(work: Callable[[Any], Any], parts: Iterable[Any], workers: int) -> list[Any]:
    """`work` over `parts`, in order; numpy lets go of the interpreter lock inside, so threads do help."""
    if workers == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, parts))
