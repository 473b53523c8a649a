from __future__ import annotations

import pytest
import torch

from braingranary.detector.contracts.model_metadata import LARGEST_FILE_BYTES, Calibration
from braingranary.detector.model.encoder_decoder.gate import WIDTHS, Gate
from braingranary.detector.model.encoder_decoder.network import HEAD_SHARE, TumorNet, evidence, with_gate
from braingranary.detector.model.preprocessing.pipeline import INPUT_SIDE_PX
from braingranary.detector.model.weights import Model, assemble, pack
from tests.fixtures import tiny_detector
from tests.fixtures.tiny_detector import metadata

METADATA = metadata("test-1", Calibration(brain_threshold=0.01, tumor_threshold=0.5, series_threshold=0.6))


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return assemble(TumorNet(tiny_detector.WIDTHS), METADATA)


def test_network_shipped_size_fits_its_limit() -> None:
    assert len(pack(TumorNet(), METADATA)) < LARGEST_FILE_BYTES


def test_network_answers_have_their_shapes() -> None:
    answers = TumorNet()(torch.rand(3, 1, INPUT_SIDE_PX, INPUT_SIDE_PX))
    assert answers.lesion.shape == (3, 1, INPUT_SIDE_PX, INPUT_SIDE_PX)
    assert answers.tumor.shape == answers.brain.shape == (3,)


def test_evidence_is_read_only_where_a_lesion_is_suspected() -> None:
    generator = torch.Generator().manual_seed(1)
    fine, middle, deep = (torch.rand((1, 4, side, side), generator=generator) for side in (16, 8, 4))
    suspicion = torch.full((1, 1, 16, 16), -40.0)
    suspicion[..., 2:4, 2:4] = 40.0

    def changed(row: slice) -> bool:
        others = []
        for features, step in ((fine, 1), (middle, 2), (deep, 4)):
            other = features.clone()
            other[..., row.start // step : row.stop // step, :] += 5.0
            others.append(other)
        return not torch.allclose(evidence(suspicion, *others), evidence(suspicion, fine, middle, deep))

    assert changed(slice(0, 4))
    assert not changed(slice(4, 16))


@pytest.mark.parametrize("widths", [WIDTHS, (8, 16, 24)])
@pytest.mark.parametrize("alone", [False, True])
def test_gate_says_whether_it_is_a_brain_and_travels_with_the_weights(
    model: Model, widths: tuple[int, ...], *, alone: bool
) -> None:
    torch.manual_seed(4)
    assert isinstance(model.network, TumorNet)
    network = with_gate(model.network, Gate(widths).eval(), gate_alone=alone)
    again = assemble(network, METADATA).network
    planes = torch.rand(2, 1, INPUT_SIDE_PX, INPUT_SIDE_PX)
    with torch.inference_mode():
        before, after = model.network(planes), again(planes)
        assert network.gate is not None
        gated = network.gate(planes)
        assert torch.equal(after.brain, gated if alone else gated + HEAD_SHARE * before.brain)
    assert torch.equal(after.lesion, before.lesion)
    assert torch.equal(after.tumor, before.tumor)
    assert not torch.allclose(after.brain, before.brain)
    assert alone is not any(name.startswith("brain_head") for name in again.state_dict())
