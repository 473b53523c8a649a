"""The gate: a small network of its own that tells whether a picture is a brain MR at all.

What finds tumours has learnt what differs between brains, and knows a photograph poorly; frozen, its features cannot
tell a skull-stripped template from a cat. The gate sees both kinds from its first step and costs a fifth as much.
"""

from __future__ import annotations

from torch import Tensor, nn

from braingranary.detector.model.encoder_decoder.blocks import Block, global_pooling, levels, pixel_unshuffle

UNSHUFFLE_PX = 4
"""Pixels a side that become channels: nothing is lost, and the first convolution sees 12 x 12 pixels."""
WIDTHS = (48, 96, 128)
HIDDEN = 32
DROPOUT = 0.2


class Gate(nn.Module):
    """Three levels of convolutions and global pooling of each, since the grain of a photograph is fine."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        inward = (UNSHUFFLE_PX**2, *widths[:-1])
        self.levels = nn.ModuleList(Block(a, b) for a, b in zip(inward, widths, strict=True))
        self.head = nn.Sequential(
            nn.Dropout(DROPOUT), nn.Linear(2 * sum(widths), HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """(N, 1, S, S) float32, S a multiple of 16, to (N,) logits."""
        features = levels(pixel_unshuffle(image, UNSHUFFLE_PX), self.levels)
        logits: Tensor = self.head(global_pooling(features)).squeeze(1)
        return logits
