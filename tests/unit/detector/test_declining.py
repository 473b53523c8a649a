from __future__ import annotations

import numpy as np
import pytest
import torch

from braingranary.detector import declining
from braingranary.detector.data import LabelledSlice, read_lgg
from braingranary.detector.network import TumorNet
from braingranary.detector.not_brain import procedural
from braingranary.detector.preprocess import Picture, prepare
from tests.unit.detector.heads import head, write_lgg


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledSlice, ...]:
    root = tmp_path_factory.mktemp("heads")
    write_lgg(root, {"p1": "train", "p2": "train"})
    return tuple(read_lgg(root))


@pytest.fixture(scope="module")
def network() -> TumorNet:
    torch.manual_seed(1)
    return TumorNet((8, 16, 16)).eval()


def _answers(network: TumorNet, pictures: list[Picture]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    planes = torch.from_numpy(np.stack([prepare(picture).plane for picture in pictures]))[:, None]
    with torch.inference_mode():
        lesion, tumor, brain = network(planes)
    return lesion, tumor, brain


def test_refit_brain_head_tells_heads_from_others_and_leaves_the_rest_alone(
    network: TumorNet, slices: tuple[LabelledSlice, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declining, "PICTURES_A_CLASS", 96)
    refitted = declining.refit_brain_head(network, slices, seed=2)
    heads: list[Picture] = [head(seed=900 + n) for n in range(20)]
    others: list[Picture] = [procedural(np.random.default_rng(7000 + n)) for n in range(20)]
    lesion, tumor, brain = _answers(refitted, heads + others)
    right = torch.cat([brain[:20] > 0, brain[20:] < 0]).float().mean()
    assert right >= 0.85
    before = _answers(network, heads + others)
    assert torch.equal(lesion, before[0])
    assert torch.equal(tumor, before[1])
    assert not torch.allclose(brain, before[2])


def test_refit_brain_head_same_seed_gives_the_same_head(
    network: TumorNet, slices: tuple[LabelledSlice, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declining, "PICTURES_A_CLASS", 8)
    first, second = (declining.refit_brain_head(network, slices, seed=2).brain_head for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_as_shown_keeps_a_picture_that_prepare_takes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        shown = declining.as_shown(head(), rng)
        assert np.isfinite(shown).all()
        assert not prepare(shown).blank
