"""The network: a small encoder-decoder that says where a tumour is, whether there is one, and if this is a brain.

One input channel of any MR contrast; three answers from one pass. The tumour answer is pooled only over what the
segmentation suspects: a head that saw the whole picture would learn brain area and slice position, which alone reach
AUC 0.83 on slices of one collection and mean nothing elsewhere. Batch normalization learns several times faster here
than group normalization at equal cost; once trained its statistics are constants, so that one upload and a batch of a
thousand get the same number.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from braingranary.detector.model.encoder_decoder.blocks import Block, global_pooling, levels, pixel_unshuffle
from braingranary.detector.model.encoder_decoder.gate import Gate
from braingranary.detector.model.interface import Answers

SUSPICION_TEMPERATURE = 1.0
HEAD_SHARE = 0.2
"""Weight of the network's own brain logit, added to the gate's: it knows less, but errs on other pictures."""
UNSHUFFLE_PX = 2
"""Pixels a side that become channels of the network's finest level."""


class TumorNet(nn.Module):
    """Encoder-decoder from half the input's resolution with a suspicion-pooled tumour head and a brain head."""

    def __init__(self, widths: tuple[int, ...] = (16, 64, 128, 192)) -> None:
        super().__init__()
        self.widths = widths
        inward = (UNSHUFFLE_PX**2, *widths[:-1])
        self.encoder = nn.ModuleList(Block(a, b) for a, b in zip(inward, widths, strict=True))
        upward = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        # Narrowed where they are small, then enlarged and added: joining channels at the larger size costs thrice that.
        self.narrow = nn.ModuleList(nn.Conv2d(low, skip, 1, bias=False) for low, skip in upward)
        self.decoder = nn.ModuleList(Block(skip, skip) for _, skip in upward)
        self.lesion_head = nn.Conv2d(widths[0], UNSHUFFLE_PX**2, 1)
        # Evidence under the suspicion: decoder features, deep features, the peak and the size of the suspicion.
        self.tumor_head = nn.Sequential(
            nn.Linear(widths[0] + widths[1] + widths[-1] + 2, 48), nn.SiLU(), nn.Dropout(0.1), nn.Linear(48, 1)
        )
        # Learnt beside the rest, so that the encoder meets what is no brain; `with_gate` puts a gate above it.
        self.brain_head: nn.Module | None = nn.Sequential(nn.Linear(2 * sum(widths), 32), nn.SiLU(), nn.Linear(32, 1))
        self.gate: Gate | None = None

    def forward(self, image: Tensor) -> Answers:
        """(N, 1, S, S) float32 to `Answers`; S a multiple of 16."""
        # Four neighbouring pixels become four channels: the costliest level is never run at full resolution.
        skips = list(levels(pixel_unshuffle(image, UNSHUFFLE_PX), self.encoder))
        x = middle = deep = skips[-1]
        for level, (narrow, block) in enumerate(zip(self.narrow, self.decoder, strict=True)):
            # In place: memory for another sum of this size would cost five times the sum.
            x = block(functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest").add_(skips[-2 - level]))
            if level == len(self.decoder) - 2:
                middle = x
        # The finest pixels come back as they went: four logits a cell become four pixels.
        fine = self.lesion_head(x)
        tumor = self.tumor_head(evidence(fine.mean(dim=1, keepdim=True), x, middle, deep)).squeeze(1)
        return Answers(functional.pixel_shuffle(fine, UNSHUFFLE_PX), tumor, self._brain(image, skips))

    def _brain(self, image: Tensor, skips: list[Tensor]) -> Tensor:
        logits: list[Tensor] = []
        if self.gate is not None:
            logits.append(self.gate(image))
        if self.brain_head is not None:
            weight = HEAD_SHARE if logits else 1.0
            logits.append(weight * self.brain_head(global_pooling(skips)).squeeze(1))
        return torch.stack(logits).sum(dim=0)


def with_gate(network: TumorNet, gate: Gate, *, gate_alone: bool = False) -> TumorNet:
    """A copy of `network` in eval mode whose brain logit is the gate's too; with `gate_alone` the gate's only."""
    together = copy.deepcopy(network)
    together.gate = gate
    if gate_alone:
        together.brain_head = None
    return together.eval()


def evidence(lesion: Tensor, fine: Tensor, middle: Tensor, deep: Tensor) -> Tensor:
    """Features weighted by the suspicion (softmax over pixels), with its soft peak and its soft area."""
    logits = lesion.flatten(2)
    peak = torch.logsumexp(logits, dim=2) - 4.0
    area = torch.log1p(torch.sigmoid(logits).sum(dim=2))
    pooled = [_pool(logits, fine)]
    for features in (middle, deep):
        coarse = functional.adaptive_max_pool2d(lesion, features.shape[-2:])
        pooled.append(_pool(coarse.flatten(2), features))
    return torch.cat([*pooled, peak, area], dim=1)


def _pool(logits: Tensor, features: Tensor) -> Tensor:
    weights = torch.softmax(logits / SUSPICION_TEMPERATURE, dim=2)
    return (features.flatten(2) * weights).sum(dim=2)
