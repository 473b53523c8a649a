"""Intensity: the window against numpy's percentiles, what counts as foreground, and that grey can be undone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.intensity import Window, to_grey, window_of
from braingranary.imaging.volume import Volume
from tests.unit.normalization import phantom

SHAPE = (24, 48, 48)
AFFINE = phantom.grid_affine(phantom.AXIAL, SHAPE, (7.5, 4.0, 4.0))
HEAD = phantom.sampled(AFFINE, SHAPE)
TISSUE = phantom.sampled(AFFINE, SHAPE, noise=0.0) > 0


def volume(voxels: NDArray[Any], **facts: Any) -> Volume:
    return Volume(voxels=voxels, affine=AFFINE, **facts)


def expected(values: NDArray[Any]) -> tuple[float, float]:
    """numpy's percentiles of the true tissue; the phantom's noise is four sigmas below all of it."""
    low, high = np.percentile(values[TISSUE], [0.5, 99.5])
    return float(low), float(high)


CASES: dict[str, tuple[NDArray[Any], float, float]] = {
    "uint16": (HEAD, 1.0, 0.0),
    "12 bit": (HEAD.astype(np.int16), 1.0, 0.0),
    "signed": (HEAD.astype(np.int16) - 1024, 1.0, 0.0),
    "full signed range": ((HEAD.astype(np.int32) * 60 - 32768).astype(np.int16), 1.0, 0.0),
    "rescaled": (HEAD, 2.5, -300.0),
    "8 bit": ((HEAD // 5).astype(np.uint8), 1.0, 0.0),
    "32 bit": (HEAD.astype(np.int32) * 5000, 1.0, 0.0),
    "float": (HEAD.astype(np.float32) * 0.137 - 4, 1.0, 0.0),
    "negative slope": (HEAD.astype(np.int16), -1.0, 2000.0),
}


@pytest.mark.parametrize("name", [name for name in CASES if name != "negative slope"])
def test_window_of_head_is_numpys_percentile_of_the_tissue(name: str) -> None:
    voxels, slope, intercept = CASES[name]
    window = window_of(volume(voxels, slope=slope, intercept=intercept))
    values = voxels.astype(np.float64) * slope + intercept
    span = float(values.max() - values.min())
    low, high = expected(values)
    assert window.high == pytest.approx(high, abs=0.01 * span)
    assert window.low == pytest.approx(low, abs=0.5 * (high - low))
    foreground = values[values > _edge(values, window)]
    exact = np.percentile(foreground, [0.5, 99.5])
    assert np.abs(np.array([window.low, window.high]) - exact).max() <= window.bin_width + 1e-9


def _edge(values: NDArray[np.float64], window: Window) -> float:
    """The highest background value for which numpy's low percentile comes nearest to the window's."""
    candidates = np.unique(values[values <= window.low])[-200:]
    misses = [abs(np.percentile(values[values > edge], 0.5) - window.low) for edge in candidates]
    return float(candidates[int(np.argmin(misses))])


def test_window_of_zero_padding_does_not_move_it() -> None:
    padded = np.zeros((SHAPE[0] * 3, SHAPE[1], SHAPE[2]), np.uint16)
    padded[: SHAPE[0]] = np.maximum(HEAD, 1)
    assert window_of(volume(padded)).high == pytest.approx(window_of(volume(HEAD)).high, rel=0.01)
    assert window_of(volume(padded)).low == pytest.approx(window_of(volume(HEAD)).low, abs=15)


@pytest.mark.parametrize("offset", [0, 200])
def test_window_of_air_with_noise_and_offset_stays_out_of_the_foreground(offset: int) -> None:
    noisy = phantom.sampled(AFFINE, SHAPE, noise=25.0) + np.uint16(offset)
    grey, _ = to_grey(volume(noisy))
    assert np.median(grey[~TISSUE]) <= 12
    assert np.median(grey[TISSUE]) > 90


def test_window_of_small_head_in_a_large_field_is_found() -> None:
    rng = np.random.default_rng(3)
    air = np.rint(rng.rayleigh(10, (40, 100, 100))).astype(np.uint16)
    air[18:22, 40:60, 40:60] = 900  # 0.4 % of the volume
    air[18:22, 40:60, 40:50] = 500
    window = window_of(volume(air))
    assert window.low < 500
    assert window.high == 900


def test_window_of_dim_brain_under_bright_fat_is_not_black() -> None:
    dim = HEAD.astype(np.float64)
    dim[TISSUE] *= 0.12
    fat = np.roll(TISSUE, 14, axis=2) & ~TISSUE
    dim[fat] = 2500
    grey, _ = to_grey(volume(np.rint(dim).astype(np.uint16)))
    assert (grey[TISSUE] > 0).mean() > 0.9


def test_to_grey_monochrome1_shows_low_values_bright() -> None:
    turned = (4095 - HEAD.astype(np.int32)).astype(np.uint16)
    plain, window = to_grey(volume(HEAD))
    inverted, mirrored = to_grey(volume(turned, inverted=True))
    assert mirrored.low > mirrored.high
    assert (mirrored.low, mirrored.high) == pytest.approx((4095 - window.low, 4095 - window.high))
    assert np.abs(inverted.astype(int) - plain).max() <= 1


def test_to_grey_negative_slope_is_shown_by_modality_value() -> None:
    voxels, slope, intercept = CASES["negative slope"]
    turned = volume((2000 - voxels).astype(np.int16), slope=slope, intercept=intercept)
    grey, window = to_grey(turned)
    assert window.low < window.high
    assert np.abs(grey.astype(int) - to_grey(volume(voxels))[0]).max() <= 1


@pytest.mark.parametrize("name", list(CASES))
def test_undo_gives_values_back_to_half_a_grey_level(name: str) -> None:
    voxels, slope, intercept = CASES[name]
    grey, window = to_grey(volume(voxels, slope=slope, intercept=intercept))
    values = voxels.astype(np.float64) * slope + intercept
    inside = (values > min(window.low, window.high)) & (values < max(window.low, window.high))
    step = abs(window.high - window.low) / 255
    assert inside.mean() > 0.2
    assert np.abs(window.undo(grey) - values)[inside].max() <= 0.51 * step + window.bin_width


def test_to_grey_wild_voxels_and_not_a_number_do_not_swallow_the_head() -> None:
    wild = HEAD.astype(np.float32)
    wild[0, 0, :3] = (1e30, np.nan, -np.inf)
    grey, window = to_grey(volume(wild))
    assert window.high == pytest.approx(window_of(volume(HEAD)).high, rel=0.02)
    assert np.median(grey[TISSUE]) == pytest.approx(np.median(to_grey(volume(HEAD))[0][TISSUE]), abs=5)


def test_to_grey_more_workers_change_nothing() -> None:
    one, window = to_grey(volume(HEAD))
    three, same = to_grey(volume(HEAD), workers=3)
    assert np.array_equal(one, three)
    assert window == same


def test_to_grey_keeps_the_input_untouched() -> None:
    before = HEAD.copy()
    to_grey(volume(HEAD))
    assert np.array_equal(HEAD, before)


@pytest.mark.parametrize(
    "blank",
    [
        volume(np.full(SHAPE, 7, np.uint16)),
        volume(np.zeros(SHAPE, np.float32)),
        volume(np.full(SHAPE, np.nan, np.float32)),
        volume(np.zeros((0, 4, 4), np.uint16)),
        volume(HEAD, slope=0.0),
        volume(HEAD, intercept=float("nan")),
    ],
)
def test_to_grey_blank_volume_is_rejected(blank: Volume) -> None:
    with pytest.raises(RejectedInput) as caught:
        to_grey(blank)
    assert caught.value.code is Code.VOLUME_BLANK


def test_to_grey_two_values_are_black_and_white() -> None:
    grey, window = to_grey(volume(np.where(TISSUE, 9, 3).astype(np.uint16)))
    assert (window.low, window.high) == (3.0, 9.0)
    assert set(np.unique(grey)) == {0, 255}
