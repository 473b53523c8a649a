"""Augmentation: what scanners, sites, viewers and uploads do to a slice, done at random to a batch in memory.

The aim is one net for any single contrast at hospitals it never saw: co-registered contrasts are mixed into contrasts
that no scanner made, brightness goes through monotone and (rarely) non-monotone curves, a bias field, blur, lower
resolution, noise and windows; geometry is flipped, turned by any right angle and a little more, scaled, squeezed,
shifted and cropped; now and then the skull is shaved off.

In: cache squares (N, 3, B, B) in 0..255 and masks (N, B, B). Out: raw squares (N, S, S) in about 0..1 and masks, to be
finished by `tone.normalize`. Works on torch tensors; every draw comes from the generator that is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Generator, Tensor
from torch.nn import functional

from braingranary.detector.model.preprocessing.frame import MARGIN_FRACTION
from braingranary.detector.training.cache import CACHE_MARGIN_FRACTION

Change = Callable[[Tensor, Generator], Tensor]
"""(n, S, S) in 0..1 to the same."""
STANDARD_ZOOM = (1 + 2 * MARGIN_FRACTION) / (1 + 2 * CACHE_MARGIN_FRACTION)
"""The part of a cache square that the preprocessing would have cut."""


def mix_contrasts(images: Tensor, shares: Tensor, generator: Generator, blend_rate: float = 0.25) -> Tensor:
    """(N, 3, B, B) to (N, B, B): one contrast, or now and then a weighted mix of them, one weight possibly negative.

    `shares` (N, 3) says how often each contrast is the one; only their ratios matter.
    """
    count = images.shape[0]
    weights = functional.one_hot(torch.multinomial(shares, 1, generator=generator)[:, 0], 3).float()
    blend = torch.randn((count, 3), generator=generator) * 0.6 + 0.4
    blend = blend / blend.abs().sum(dim=1, keepdim=True).clamp_min(0.3)
    weights = torch.where(_chance(count, blend_rate, generator)[:, None], blend, weights)
    mixed = torch.einsum("nchw,nc->nhw", images, weights)
    # Air stays dark: it is 0 in every contrast, and what became negative is tissue that would be black in the mix.
    return mixed.clamp_min(0.0) + 0.15 * (-mixed).clamp_min(0.0)


def warp_geometry(images: Tensor, masks: Tensor, side_px: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """(N, B, B) squares and masks to (N, S, S) under one random affine map each, right angles and flips included."""
    count = images.shape[0]
    uniform = _uniform(count, generator)
    angle = torch.where(_chance(count, 0.7, generator), uniform(-0.35, 0.35), torch.zeros(count))
    quarter = torch.randint(1, 4, (count,), generator=generator) * _chance(count, 0.3, generator)
    angle = angle + quarter * (math.pi / 2)
    zoom = STANDARD_ZOOM * torch.exp(
        torch.where(_chance(count, 0.7, generator), uniform(-0.22, 0.2), uniform(-0.03, 0.03))
    )
    squeeze = torch.exp(uniform(-0.1, 0.1))
    flip = 1.0 - 2.0 * _chance(count, 0.5, generator).float()
    flop = 1.0 - 2.0 * _chance(count, 0.1, generator).float()
    shear = torch.where(_chance(count, 0.3, generator), uniform(-0.12, 0.12), torch.zeros(count))
    cos, sin = torch.cos(angle), torch.sin(angle)
    scale_x, scale_y = zoom * squeeze * flip, zoom / squeeze * flop
    theta = torch.zeros((count, 2, 3))
    theta[:, 0, 0], theta[:, 0, 1] = cos * scale_x, (-sin + shear * cos) * scale_y
    theta[:, 1, 0], theta[:, 1, 1] = sin * scale_x, (cos + shear * sin) * scale_y
    theta[:, :, 2] = torch.stack([uniform(-0.07, 0.07), uniform(-0.07, 0.07)], dim=1)
    grid = functional.affine_grid(theta, [count, 1, side_px, side_px], align_corners=False)
    both = torch.stack([images, masks.float()], dim=1)
    warped = functional.grid_sample(both, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return warped[:, 0], warped[:, 1] > 0.5


def warp_intensity(images: Tensor, generator: Generator, gentle_rate: float = 0.0) -> Tensor:
    """(N, S, S) in 0..255 to (N, S, S) in about 0..1: curves, bias field, blur, resolution, noise, windows.

    `gentle_rate` is the chance of an image to stay as it was acquired.
    """
    x = images / 255.0
    changed = ~_chance(x.shape[0], gentle_rate, generator)
    part = x[changed]
    for rate, change in CHANGES:
        part = _some(part, rate, generator, change)
    x[changed] = part
    return x


def _some(x: Tensor, rate: float, generator: Generator, change: Change) -> Tensor:
    """`change` made to each image with chance `rate`; the others cost nothing."""
    chosen = _chance(x.shape[0], rate, generator)
    if not bool(chosen.any()):
        return x
    changed = x.clone()
    changed[chosen] = change(x[chosen], generator)
    return changed


def _odd_curve(x: Tensor, generator: Generator) -> Tensor:
    """Brightness through a curve that also falls, inside the head alone."""
    head = _head(x)
    return _curve(x, generator, monotone=False) * head + x * (1 - head)


def _invert(x: Tensor, _: Generator) -> Tensor:
    return (1.05 - x).clamp(0, 1) * _soft(_head(x))


def _sharpen(x: Tensor, _: Generator) -> Tensor:
    return (x + (x - _soft(x)) * 1.5).clamp_min(0)


def _head(x: Tensor) -> Tensor:
    return (x > 0.5 * x.mean(dim=(1, 2), keepdim=True)).float()


def _curve(x: Tensor, generator: Generator, *, monotone: bool = True) -> Tensor:
    """A random piecewise linear brightness curve through 6 knots that keeps black black."""
    count, knots = x.shape[0], 6
    steps = torch.rand((count, knots), generator=generator)
    if monotone:
        levels = torch.cumsum(steps + 0.1, dim=1)
        levels = levels / levels[:, -1:]
    else:
        levels = steps
    levels = torch.cat([torch.zeros((count, 1)), levels], dim=1)
    place = x.clamp(0, 1) * knots
    low = place.floor().clamp(max=knots - 1).long()
    part = place - low
    flat = low.flatten(1)
    below, above = levels.gather(1, flat).view_as(x), levels.gather(1, flat + 1).view_as(x)
    return below + (above - below) * part


def _bias_field(x: Tensor, generator: Generator) -> Tensor:
    coarse = torch.randn((x.shape[0], 1, 3, 3), generator=generator) * 0.35
    field = functional.interpolate(coarse, size=x.shape[-2:], mode="bicubic", align_corners=True)
    return x * torch.exp(field[:, 0])


def blur(x: Tensor, generator: Generator) -> Tensor:
    """(n, S, S): smoothed by one or two 3 px means."""
    reach = 1 + int(torch.randint(2, (1,), generator=generator))
    y = x[:, None]
    for _ in range(reach):
        y = functional.avg_pool2d(y, 3, stride=1, padding=1, count_include_pad=False)
    return y[:, 0]


def _soft(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x[:, None], 5, stride=1, padding=2, count_include_pad=False)[:, 0]


def _coarsen(x: Tensor, generator: Generator) -> Tensor:
    """Down and up again, each axis by its own factor: thick voxels, thumbnails, interpolated exports."""
    side = x.shape[-1]
    draw = torch.rand(2, generator=generator)
    size = [max(48, int(side / (1.0 + 1.6 * float(part)))) for part in draw]
    small = functional.interpolate(x[:, None], size=size, mode="area")
    mode = "bilinear" if float(torch.rand(1, generator=generator)) < 0.8 else "nearest"
    return functional.interpolate(small, size=(side, side), mode=mode)[:, 0]


def _rician(x: Tensor, generator: Generator) -> Tensor:
    """Magnitude noise as MR has it: two channels of Gaussian noise under a root."""
    sigma = torch.rand((x.shape[0], 1, 1), generator=generator) ** 2 * 0.09
    real = x + sigma * torch.randn(x.shape, generator=generator)
    imaginary = sigma * torch.randn(x.shape, generator=generator)
    return torch.sqrt(real**2 + imaginary**2)


def _window(x: Tensor, generator: Generator) -> Tensor:
    """A viewer's window: the top saturates, the bottom goes black, 256 grey levels remain."""
    count = x.shape[0]
    uniform = _uniform(count, generator)
    peak = x.amax(dim=(1, 2))
    high = (peak * uniform(0.55, 1.0))[:, None, None].clamp_min(1e-3)
    low = high * uniform(0.0, 0.12)[:, None, None]
    return ((x - low) / (high - low)).clamp(0, 1).mul(255).round() / 255


def strip_skull(x: Tensor, generator: Generator) -> Tensor:
    """(n, S, S) without skulls, roughly: what is some way inside the filled heads."""
    head = _head(x)
    outside = 1.0 - _between(head, 1) * _between(head, 2)
    reach = 9 + 2 * int(torch.randint(4, (1,), generator=generator))
    # A square maximum is the maximum of maxima along each axis: fifteen times cheaper.
    outside = functional.max_pool2d(outside[:, None], (reach, 1), stride=1, padding=(reach // 2, 0))
    outside = functional.max_pool2d(outside, (1, reach), stride=1, padding=(0, reach // 2))[:, 0]
    return x * (1.0 - outside)


def _between(head: Tensor, dim: int) -> Tensor:
    before = torch.cummax(head, dim=dim).values
    after = torch.cummax(head.flip(dim), dim=dim).values.flip(dim)
    return before * after


def _chance(count: int, rate: float, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator) < rate


class _uniform:  # noqa: N801 - reads as a function
    def __init__(self, count: int, generator: Generator) -> None:
        self._count, self._generator = count, generator

    def __call__(self, low: float, high: float) -> Tensor:
        return torch.rand(self._count, generator=self._generator) * (high - low) + low


CHANGES: Final[tuple[tuple[float, Change], ...]] = (
    (0.12, strip_skull),
    (0.55, _curve),
    (0.15, _odd_curve),
    (0.08, _invert),
    (0.45, _bias_field),
    (0.25, blur),
    (0.1, _sharpen),
    (0.35, _coarsen),
    (0.45, _rician),
    (0.35, _window),
)
"""What happens to an image that does not stay as it was acquired, in this order: (chance, change)."""
