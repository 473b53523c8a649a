"""The network arranged for answering: the same function as the trained one, about twice as fast.

* Once trained, batch normalization multiplies by constants, so it goes into the convolution before it.
* Nothing is kept for a backward pass, so activations take the place of what they are made from.
* Channels lie last in memory, as the convolutions of oneDNN like them.

Answers differ by rounding alone (about 1e-6 in a logit).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from braingranary.detector.model.encoder_decoder.blocks import Block


class FusedBlock(nn.Module):
    """A `Block` whose normalization is in its convolutions."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.first = fuse_conv_bn_eval(block.first, block.norm_first)
        self.second = fuse_conv_bn_eval(block.second, block.norm_second)
        self.shortcut = block.shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, inward, H, W) to (N, outward, H, W); `x` is left as it was."""
        y = self.second(functional.silu(self.first(x), inplace=True))
        return functional.silu(y.add_(self.shortcut(x)), inplace=True)


def fused(network: nn.Module) -> nn.Module:
    """A copy of a trained network of `Block`s that answers as it does; `network` is left alone."""
    trained = copy.deepcopy(network).eval()
    for parent in list(trained.modules()):
        for name, block in list(parent.named_children()):
            if isinstance(block, Block):
                setattr(parent, name, FusedBlock(block))
    trained.requires_grad_(False)
    return trained.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
