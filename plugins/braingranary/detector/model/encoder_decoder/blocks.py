"""Building blocks of the networks: pixel unshuffle, levels, global pooling, a residual block; float32 tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional


def pixel_unshuffle(image: Tensor, px: int) -> Tensor:
    """(N, 1, S, S) to (N, px * px, S / px, S / px): pixels as channels, ordered as by `torch.nn.PixelUnshuffle`.

    By a view: torch's own takes a tenth of an answer with channels last.
    """
    count, _, height, width = image.shape
    cells = image.reshape(count, height // px, px, width // px, px)
    return cells.permute(0, 2, 4, 1, 3).reshape(count, px * px, height // px, width // px)


def levels(x: Tensor, blocks: Iterable[nn.Module]) -> Iterator[Tensor]:
    """What each block makes of `x`, (N, C, H, W): the first at full size, every other at half the side before.

    One after the other: whoever takes something from a level before the next one is made has its gradients added up in
    that order, and training ends in the same bits only if the order stays.
    """
    for level, block in enumerate(blocks):
        x = block(functional.max_pool2d(x, 2) if level else x)
        yield x


def global_pooling(features: Iterable[Tensor]) -> Tensor:
    """Mean and maximum over all pixels of each level, as it comes: (N, 2 C) for C channels of all levels together."""
    return torch.cat([part for level in features for part in (level.mean((2, 3)), level.amax((2, 3)))], dim=1)


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalization and SiLU around a shortcut."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inward, outward, 3, padding=1, bias=False)
        self.norm_first = nn.BatchNorm2d(outward)
        self.second = nn.Conv2d(outward, outward, 3, padding=1, bias=False)
        self.norm_second = nn.BatchNorm2d(outward)
        self.shortcut = nn.Conv2d(inward, outward, 1, bias=False) if inward != outward else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inward, H, W) to (N, outward, H, W)."""
        y = functional.silu(self.norm_first(self.first(x)))
        y = self.norm_second(self.second(y))
        return functional.silu(y + self.shortcut(x))
