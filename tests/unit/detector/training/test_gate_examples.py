from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from braingranary.detector.data.labelled import LabelledSlice, read_lgg
from braingranary.detector.data.negatives import procedural
from braingranary.detector.data.synthetic_scenes import (
    RATIO_RANGE,
    leaves,
    scene,
    speckle_fan,
    spectral,
    squeezed,
    tomogram,
    trunk,
)
from braingranary.detector.model.encoder_decoder.gate import Gate
from braingranary.detector.model.preprocessing.picture import Picture
from braingranary.detector.model.preprocessing.pipeline import HEAD_BOX, INPUT_SIDE_PX
from braingranary.detector.training import gate_examples
from braingranary.detector.training.lesions import squared
from braingranary.detector.training.train_gate import GatePlan, train_gate, varied
from tests.unit.detector.heads import head, write_lgg

TINY = GatePlan(seed=2, brains=8, negatives=8, steps=2, batch_size=4)


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledSlice, ...]:
    root = tmp_path_factory.mktemp("heads")
    write_lgg(root, {"p1": "train", "p2": "train"})
    return tuple(read_lgg(root))


def _answers(gate: Gate, pictures: list[Picture]) -> torch.Tensor:
    planes = torch.from_numpy(np.stack([HEAD_BOX.prepare(picture).plane for picture in pictures]))[:, None]
    with torch.inference_mode():
        logits: torch.Tensor = gate(planes)
    return logits


def _same(first: Gate, second: Gate) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_train_gate_tells_heads_from_others(slices: tuple[LabelledSlice, ...], tmp_path: Path) -> None:
    plan = GatePlan(seed=2, brains=96, negatives=96, steps=150, batch_size=16, average_decay=0.9)
    gate = train_gate(slices, plan, tmp_path, data_sha256="00")
    heads: list[Picture] = [head(seed=900 + n) for n in range(20)]
    others: list[Picture] = [procedural(np.random.default_rng(7000 + n)) for n in range(20)]
    brain = _answers(gate, heads + others)
    assert torch.cat([brain[:20] > 0, brain[20:] < 0]).float().mean() >= 0.85


def test_train_gate_same_plan_gives_the_same_gate(slices: tuple[LabelledSlice, ...], tmp_path: Path) -> None:
    first, second = (train_gate(slices, TINY, tmp_path / name, data_sha256="00") for name in "ab")
    assert _same(first, second)
    assert not _same(first, train_gate(slices, replace(TINY, seed=3), tmp_path / "c", data_sha256="00"))


def test_train_gate_takes_the_kept_one_for_the_same_plan_and_data_alone(
    slices: tuple[LabelledSlice, ...], tmp_path: Path
) -> None:
    first = train_gate(slices, TINY, tmp_path, data_sha256="00")
    steps: list[int] = []
    again = train_gate(slices, TINY, tmp_path, data_sha256="00", progress=lambda step, _: steps.append(step))
    assert not steps
    assert _same(first, again)
    train_gate(slices, TINY, tmp_path, data_sha256="01", progress=lambda step, _: steps.append(step))
    assert steps == [1, 2]
    kept = torch.load(tmp_path / "gate.pt", weights_only=True)
    assert json.loads(kept["identity"])["patients"] == ["lgg/p1", "lgg/p2"]


def test_brain_planes_leave_out_what_shows_no_head(slices: tuple[LabelledSlice, ...]) -> None:
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 40, slices[0].pictures.shape).astype(np.uint8)
    mixed = [slices[0], *(replace(slices[0], pictures=noise) for _ in range(5))]
    planes = gate_examples.brain_planes(mixed, 12, rng)
    assert planes.shape == (12, INPUT_SIDE_PX, INPUT_SIDE_PX)
    coarse = planes.reshape(12, 16, 8, 16, 8).mean(axis=(2, 4))
    assert (coarse.std(axis=(1, 2)) > 0.5 * planes.std(axis=(1, 2))).all()


def test_plane_of_turns_bytes_back_into_prepared_planes() -> None:
    plane = HEAD_BOX.prepare(head()).plane
    back = gate_examples.from_uint8(gate_examples.to_uint8(plane)[None])[0]
    assert float(np.abs(back - plane).max()) < 1 / 200
    assert back.dtype == np.float32


def test_varied_turns_every_plane_and_warps_some() -> None:
    planes = np.stack([gate_examples.to_uint8(HEAD_BOX.prepare(head(seed=n)).plane) for n in range(24)])
    plain = varied(planes, 0.0, np.random.default_rng(1), torch.Generator().manual_seed(1))
    shown = gate_examples.from_uint8(planes)
    assert sorted(plain.sum(axis=(1, 2)).tolist()) == pytest.approx(sorted(shown.sum(axis=(1, 2)).tolist()))
    assert not np.array_equal(plain, shown)
    warped = varied(planes, 0.5, np.random.default_rng(1), torch.Generator().manual_seed(1))
    changed = [not np.array_equal(a, b) for a, b in zip(plain, warped, strict=True)]
    assert 2 < sum(changed) < 22


def test_tilted_and_as_shown_keep_a_picture_that_prepare_takes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        shown = gate_examples.as_exported(gate_examples.rotated(head(), rng), rng)
        assert np.isfinite(shown).all()
        assert not HEAD_BOX.prepare(shown).blank


def test_swollen_holds_a_large_lesion_and_keeps_the_rest() -> None:
    whole = head()
    for seed in range(12):
        swollen = gate_examples.with_large_lesion(whole[:, 20:], np.random.default_rng(seed))
        before = squared(whole[:, 20:]) * (255.0 / whole.max())
        changed = np.abs(swollen - before) > 1.0
        assert swollen.shape == before.shape
        assert 0.02 < changed.mean() < 0.5
        assert not changed[before < 1.0].any()


def test_distant_is_a_smaller_head_in_noisy_air() -> None:
    whole = head()
    heads, noisy = [], []
    for seed in range(12):
        shown = gate_examples.small_in_noisy_air(whole, np.random.default_rng(seed))
        assert shown.shape == whole.shape
        heads.append(float((shown > 100.0).mean() / (whole * (255.0 / whole.max()) > 100.0).mean()))
        noisy.append(bool((shown > 0.0).mean() > 0.9))
    assert sum(noisy) >= 4  # in coarse greys weak noise is black
    assert 0.1 < min(heads) < max(heads) < 0.75


@pytest.mark.parametrize("maker", [leaves, spectral, trunk, speckle_fan, tomogram, scene])
@pytest.mark.parametrize("side", [64, 200])
def test_scenes_are_pictures_of_their_own_and_the_same_for_a_seed(maker: object, side: int) -> None:
    assert callable(maker)
    made = [maker(np.random.default_rng(seed), side) for seed in (1, 1, 2)]
    assert np.array_equal(made[0], made[1])
    assert made[0].shape != made[2].shape or not np.array_equal(made[0], made[2])
    for picture in made:
        assert picture.dtype == np.float32
        assert float(picture.min()) >= 0.0
        assert float(picture.max()) <= 255.0
        assert not HEAD_BOX.prepare(picture).blank


def test_squeezed_changes_the_ratio_within_its_range() -> None:
    picture = np.zeros((200, 200), dtype=np.float32)
    ratios = [shape[0] / shape[1] for n in range(40) for shape in [squeezed(picture, np.random.default_rng(n)).shape]]
    assert min(ratios) >= RATIO_RANGE[0] * 0.95
    assert max(ratios) <= RATIO_RANGE[1] * 1.05
    assert max(ratios) / min(ratios) > 2.0
