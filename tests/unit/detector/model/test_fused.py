"""The answering network against the trained one, whose normalization is made to matter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from braingranary.detector.model.encoder_decoder.fused import fused
from braingranary.detector.model.encoder_decoder.gate import Gate
from braingranary.detector.model.encoder_decoder.network import TumorNet, with_gate
from braingranary.detector.model.preprocessing.pipeline import INPUT_SIDE_PX

TOLERANCE = 2e-6


def trained(widths: tuple[int, ...], *, gated: bool) -> TumorNet:
    """A random network whose statistics are those of no fresh one."""
    torch.manual_seed(3)
    network = with_gate(TumorNet(widths), Gate()) if gated else TumorNet(widths)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.2, 2.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return network.eval()


@pytest.mark.parametrize("widths", [(8, 16, 16), (16, 64, 128, 192)])
@pytest.mark.parametrize("side", [INPUT_SIDE_PX, 64])
@pytest.mark.parametrize("gated", [False, True])
def test_fused_answers_as_the_trained_network_to_rounding(widths: tuple[int, ...], side: int, gated: bool) -> None:
    network = trained(widths, gated=gated)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    planes = torch.rand(3, 1, side, side) * torch.tensor([0.1, 0.5, 1.3])[:, None, None, None]
    with torch.inference_mode():
        expected, found = network(planes), fused(network)(planes)
        alone = fused(network)(planes[1:2])
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        assert float((mine - theirs).abs().max()) < TOLERANCE
        assert float(theirs.std()) > TOLERANCE
    assert float((alone.tumor - expected.tumor[1:2]).abs().max()) < TOLERANCE
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
