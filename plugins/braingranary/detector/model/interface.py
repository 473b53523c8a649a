"""What every network of a detector answers, and how one is built from the tensors of a weights file.

`registry` maps the ids that stand in weights files to these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn


class Answers(NamedTuple):
    """What a network says about N images; logits, so that losses and calibration stay exact."""

    lesion: Tensor
    """(N, 1, S, S): is this pixel tumour."""
    tumor: Tensor
    """(N,): does the slice show tumour."""
    brain: Tensor
    """(N,): is this a brain MR at all."""


def _unchanged(network: nn.Module) -> nn.Module:
    return network


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One kind of network, (N, 1, S, S) float32 to `Answers`; S is what the model's preprocessing makes."""

    id: str
    build: Callable[[Mapping[str, Tensor]], nn.Module]
    """The network that these tensors belong to, holding them, in eval mode.

    Raises RejectedInput, KeyError, TypeError or RuntimeError where they do not fit; their shapes may be hostile."""
    optimize: Callable[[nn.Module], nn.Module] = _unchanged
    """A copy that answers the same up to rounding, faster; the original is left alone."""
