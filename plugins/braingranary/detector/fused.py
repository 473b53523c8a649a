"""The network as it answers, not as it learns: the same function, arranged for speed.

* Once trained, batch normalization multiplies by constants, so it goes into the convolution before it.
* A decoder step enlarges its deep features fourfold and then convolves them. A 3x3 convolution of an image enlarged by
  repetition is a transposed 4x4 convolution of the small one, with less than half the multiplications; and a 1x1
  convolution may as well come before the enlargement. Nothing is enlarged or joined before it is needed.
* Channels lie last in memory, as the convolutions of oneDNN like them.

Answers differ by rounding alone (about 1e-6 in a logit). In: a trained network. Out: a copy that answers about twice as
fast; the original is left alone.
"""

from __future__ import annotations

import copy
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from braingranary.detector.network import Answers, Block, TumorNet, evidence

_TAPS: Final = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Which taps of a 3-tap kernel fall on which tap of the 4-tap one, when every pixel is repeated once (one axis)."""


def fused(network: TumorNet) -> nn.Module:
    """What answers as `network` does: (N, 1, S, S) float32 to `Answers`."""
    trained = copy.deepcopy(network).eval()
    for block in trained.modules():
        if isinstance(block, Block):
            block.first = fuse_conv_bn_eval(block.first, block.norm_first)
            block.second = fuse_conv_bn_eval(block.second, block.norm_second)
            block.norm_first = block.norm_second = nn.Identity()  # type: ignore[assignment]
    answering = _Answering(trained).requires_grad_(False)
    return answering.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class _Answering(nn.Module):
    """`TumorNet` with its decoder exchanged."""

    def __init__(self, trained: TumorNet) -> None:
        super().__init__()
        self.trained = trained
        lows = (trained.widths[-1], *trained.widths[-2:0:-1])
        blocks = (block for block in trained.decoder if isinstance(block, Block))
        self.steps = nn.ModuleList(Step(block, low) for block, low in zip(blocks, lows, strict=True))
        del trained.decoder

    def forward(self, image: Tensor) -> Answers:
        """As `TumorNet.forward`."""
        trained = self.trained
        x = trained.unshuffle(image)
        skips: list[Tensor] = []
        for level, block in enumerate(trained.encoder):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        deep = middle = x
        for level, step in enumerate(self.steps):
            x = step(x, skips[-2 - level])
            if level == len(self.steps) - 2:
                middle = x
        lesion = trained.lesion_head(x)
        tumor = trained.tumor_head(evidence(lesion, x, middle, deep)).squeeze(1)
        brain = trained.brain_head(torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], dim=1)).squeeze(1)
        full = functional.interpolate(lesion, scale_factor=2.0, mode="bilinear", align_corners=False)
        return Answers(full, tumor, brain)


class Step(nn.Module):
    """One decoder block that takes its deep features before they are enlarged."""

    def __init__(self, block: Block, low: int) -> None:
        """`block` with its normalization folded in; its first `low` input channels are the deep features."""
        super().__init__()
        kernel, bias, shortcut = block.first.weight, block.first.bias, torch.as_tensor(block.shortcut.weight)
        self.deep = nn.ConvTranspose2d(low, kernel.shape[0], 4, stride=2, padding=1, bias=False)
        self.deep.weight = _kept(torch.einsum("ia,jb,ocab->coij", _TAPS, _TAPS, kernel[:, :low]))
        self.skip = nn.Conv2d(kernel.shape[1] - low, kernel.shape[0], 3, padding=1)
        self.skip.weight, self.skip.bias = _kept(kernel[:, low:]), bias
        self.second = block.second
        self.shortcut_deep = nn.Conv2d(low, kernel.shape[0], 1, bias=False)
        self.shortcut_deep.weight = _kept(shortcut[:, :low])
        self.shortcut_skip = nn.Conv2d(kernel.shape[1] - low, kernel.shape[0], 1, bias=False)
        self.shortcut_skip.weight = _kept(shortcut[:, low:])

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """(N, low, H, W) and (N, skip, 2H, 2W) to (N, outward, 2H, 2W)."""
        y = self.skip(skip)
        y += self.deep(deep)
        y = self.second(functional.silu(y, inplace=True))
        y += self.shortcut_skip(skip)
        y += functional.interpolate(self.shortcut_deep(deep), scale_factor=2.0, mode="nearest")
        return functional.silu(y, inplace=True)


def _kept(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().contiguous(), requires_grad=False)
