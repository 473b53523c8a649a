"""The encoder-decoder as weights files name it: built from the tensors of a file, whose shapes tell its sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

from braingranary.detector.contracts.model_metadata import invalid
from braingranary.detector.model.encoder_decoder.fused import fused
from braingranary.detector.model.encoder_decoder.gate import Gate
from braingranary.detector.model.encoder_decoder.network import TumorNet, with_gate
from braingranary.detector.model.interface import Architecture

WIDTH_MAX: Final = 512
LEVELS_MIN: Final = 3
_NETWORK_LEVEL: Final = re.compile(r"encoder\.\d\.first\.weight")
_GATE_LEVEL: Final = re.compile(r"gate\.levels\.\d\.first\.weight")


def build(tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network that `tensors` belong to; raises as `Architecture.build` may."""
    network = TumorNet(_widths(tensors, _NETWORK_LEVEL))
    if any(map(_GATE_LEVEL.fullmatch, tensors)):
        # Files up to detector-3 let the gate decide alone.
        alone = not any(name.startswith("brain_head.") for name in tensors)
        network = with_gate(network, Gate(_widths(tensors, _GATE_LEVEL)), gate_alone=alone)
    network.load_state_dict(tensors, strict=True)
    return network.eval()


def _widths(tensors: Mapping[str, Tensor], level: re.Pattern[str]) -> tuple[int, ...]:
    """Channels of each level, checked before anything of that size is made."""
    widths = tuple(len(tensors[name]) for name in sorted(filter(level.fullmatch, tensors)))
    if len(widths) < LEVELS_MIN or any(width % 8 or not 8 <= width <= WIDTH_MAX for width in widths):
        raise invalid("the weights have widths that this network does not have")
    return widths


ENCODER_DECODER: Final = Architecture(id="encoder-decoder-1", build=build, optimize=fused)
