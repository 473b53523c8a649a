"""What every training does alike: the average that follows, the step that is bounded, the file that is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from braingranary.detector.training import optimization

CPU = torch.device("cpu")


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    made(torch.randn(8, 3))  # so that the statistics of the normalization are not those of every other network
    return made


@pytest.mark.parametrize(("step", "stays"), [(0, 0.1), (90, 0.91), (1_000_000, 0.998)])
def test_follow_moves_weights_and_statistics_by_the_same_part(step: int, stays: float) -> None:
    average, latest, before = network(1), network(2), network(1).state_dict()
    optimization.update_average(average, latest, step=step, decay=0.998)
    for name, new in latest.state_dict().items():
        moved = average.state_dict()[name]
        if new.is_floating_point():
            torch.testing.assert_close(moved, stays * before[name] + (1.0 - stays) * new)
        else:
            assert torch.equal(moved, before[name])


def test_descend_shortens_a_long_gradient_and_forgets_the_last_one() -> None:
    one = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(one.weight)
    optimizer = torch.optim.SGD(one.parameters(), lr=1.0)
    for gradient, expected in (
        (-1000.0, optimization.GRADIENT_NORM_MAX),
        (-0.25, optimization.GRADIENT_NORM_MAX + 0.25),
    ):
        optimization.optimizer_step(one, optimizer, one(torch.tensor([[gradient]])).sum())
        assert one.weight.item() == pytest.approx(expected)


def test_kept_is_what_keep_wrote_and_a_write_that_fails_leaves_the_last(tmp_path: Path) -> None:
    path = tmp_path / "some.pt"
    assert optimization.load_checkpoint(path, CPU) is None
    identity = optimization.plan_identity({"seed": 1, "widths": (8, 16)}, data="a")
    assert identity == optimization.plan_identity({"widths": [8, 16], "seed": 1}, data="a")
    assert identity != optimization.plan_identity({"widths": [8, 16], "seed": 1}, data="b")
    optimization.save_checkpoint(path, identity, weights=torch.arange(3))
    with pytest.raises(AttributeError):
        optimization.save_checkpoint(path, "another", weights=lambda: None)  # which no pickle holds
    found = optimization.load_checkpoint(path, CPU)
    assert found is not None
    assert found["identity"] == identity
    assert torch.equal(found["weights"], torch.arange(3))
