"""Lesions, augmentation, pictures of no brain, the cache and the batches: what training is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from braingranary.detector.data.labelled import LabelledSlice, read_lgg
from braingranary.detector.data.negatives import (
    PHOTOGRAPHS_TO_JUDGE,
    PHOTOGRAPHS_TO_TRAIN,
    body_part_pictures,
    crop_of,
    jigsaw,
    photographs,
    procedural,
)
from braingranary.detector.evaluation.predict import is_empty
from braingranary.detector.model.preprocessing.picture import foreground_of
from braingranary.detector.model.preprocessing.pipeline import HEAD_BOX, INPUT_SIDE_PX
from braingranary.detector.training.augment import mix_contrasts, warp_geometry, warp_intensity
from braingranary.detector.training.batches import BatchMaker, structured
from braingranary.detector.training.cache import CACHE_SIDE_PX, TrainingCache, build_cache
from braingranary.detector.training.lesions import implant
from braingranary.errors import Code, RejectedInput
from braingranary.records import Plane
from tests.unit.detector.heads import disc, head, write_lgg


def _slice(
    *, lesion: tuple[int, int, int] | None, patient: str, source: str = "lgg", split: str = "train", seed: int = 0
) -> LabelledSlice:
    picture = head(lesion=lesion, seed=seed)
    return LabelledSlice(
        source=source,
        site="DU",
        patient=patient,
        split=split,
        series=patient,
        index=seed,
        position=0.5,
        plane=Plane.AXIAL,
        contrasts=("flair",),
        pictures=picture[None],
        mask=disc(lesion) if lesion else np.zeros(picture.shape, dtype=np.bool_),
    )


def _bank(healthy: str = "ixi") -> TrainingCache:
    ill = [_slice(lesion=(100, 80 + n, 15), patient=f"a{n}", seed=n) for n in range(4)]
    well = [_slice(lesion=None, patient=f"a{n}", seed=50 + n) for n in range(4)]
    hosts = [_slice(lesion=None, patient=f"h{n}", source=healthy, seed=90 + n) for n in range(4)]
    return build_cache([*ill, *well, *hosts])


def test_implant_changes_the_lesion_and_little_else() -> None:
    square = head().astype(np.float32)
    changed = 0
    for seed in range(30):
        planted = implant(square, np.random.default_rng(seed))
        assert planted is not None
        picture, mask = planted
        assert mask.any()
        assert foreground_of(square)[mask].mean() > 0.8
        far = ~mask & (np.abs(picture - square) > 40)
        assert far.mean() < 0.02
        changed += bool(np.abs(picture - square)[mask].mean() > 8)
        assert picture.min() >= 0
        assert picture.max() <= 255
    assert changed >= 22  # mottled ones keep the mean of their tissue


def test_implant_is_deterministic_and_needs_a_head() -> None:
    square = head().astype(np.float32)
    first, second = (implant(square, np.random.default_rng(5)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first[0], second[0])
    assert implant(np.zeros((192, 192), dtype=np.float32), np.random.default_rng(0)) is None


def test_warp_geometry_moves_mask_and_picture_together() -> None:
    square = torch.from_numpy(np.where(disc((90, 120, 14), CACHE_SIDE_PX), 255.0, 0.0).astype(np.float32))
    mask = square > 0
    count = 24
    images, masks = warp_geometry(
        square.repeat(count, 1, 1), mask.repeat(count, 1, 1), INPUT_SIDE_PX, torch.Generator().manual_seed(0)
    )
    assert images.shape == masks.shape == (count, INPUT_SIDE_PX, INPUT_SIDE_PX)
    assert ((images > 127) == masks).float().mean() > 0.999
    centres = {tuple(torch.nonzero(mask).float().mean(dim=0).round().int().tolist()) for mask in masks}
    assert len(centres) > count // 2


def test_warp_intensity_is_seeded_finite_and_varied() -> None:
    squares = torch.from_numpy(np.stack([head(side=INPUT_SIDE_PX)] * 32)).float()
    first, second = (warp_intensity(squares, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.isfinite(first).all()
    assert first.min() >= -0.01
    assert first.flatten(1).std(dim=0).mean() > 0.02


def test_mix_contrasts_mostly_picks_one_contrast() -> None:
    images = torch.stack([torch.full((3, 4, 4), 0.0) + torch.tensor([10.0, 20.0, 30.0])[:, None, None]] * 400)
    mixed = mix_contrasts(images, torch.ones(400, 3), torch.Generator().manual_seed(0))[:, 0, 0]
    pure = sum(float((mixed == value).float().mean()) for value in (10.0, 20.0, 30.0))
    assert 0.65 < pure < 0.85
    assert (mixed >= 0).all()


def test_procedural_pictures_are_seeded_and_varied() -> None:
    pictures = [procedural(np.random.default_rng(n)) for n in range(40)]
    assert np.array_equal(pictures[7], procedural(np.random.default_rng(7)))
    assert all(picture.shape == (192, 192) and np.isfinite(picture).all() for picture in pictures)
    assert all(picture.min() >= 0 and picture.max() <= 255 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == 40


def test_jigsaw_keeps_texture_and_breaks_the_brain() -> None:
    square = head(side=192).astype(np.float32)
    cut = jigsaw(square, np.random.default_rng(1))
    assert np.array_equal(np.sort(cut, axis=None), np.sort(square, axis=None))
    assert np.abs(cut - square).mean() > 10


def test_photographs_for_training_and_for_judging_are_different() -> None:
    assert not set(PHOTOGRAPHS_TO_TRAIN) & set(PHOTOGRAPHS_TO_JUDGE)
    found = photographs(("china.jpg", "no such file.png"))
    assert len(found) == 1
    assert crop_of(found[0], np.random.default_rng(0)).shape == (192, 192)


def test_body_part_pictures_are_2d_numbers() -> None:
    pictures = {name: picture for name, picture in body_part_pictures() if picture is not None}
    assert {"CT_small.dcm", "MR_small.dcm", "liver_1frame.dcm"} <= set(pictures)
    assert all(picture.ndim == 2 and np.isfinite(picture).all() for picture in pictures.values())


def test_bank_keeps_masks_on_their_lesions_and_round_trips(tmp_path: Path) -> None:
    cache = _bank()
    assert cache.tumor.tolist() == [True] * 4 + [False] * 8
    lesion, tissue = cache.images[0, 0][cache.masks[0]], cache.images[0, 0][~cache.masks[0] & (cache.images[0, 0] > 80)]
    assert np.median(lesion) > np.median(tissue) + 40
    cache.save(tmp_path / "cache.npz")
    again = TrainingCache.load(tmp_path / "cache.npz")
    assert again.sha256() == cache.sha256()
    assert cache.where(cache.tumor).sha256() != cache.sha256()


def test_bank_load_of_something_else_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "cache.npz"
    np.savez(path, images=np.zeros(3))
    with pytest.raises(RejectedInput) as caught:
        TrainingCache.load(path)
    assert caught.value.code is Code.TRAINING_DATA_INVALID


def test_structured_tells_noise_from_a_head() -> None:
    noise = np.random.default_rng(0).integers(0, 9, (1, 200, 200)).astype(np.uint8)
    empty = LabelledSlice(
        source="lgg", site="DU", patient="e", split="train", series="e", index=0, position=0.0, plane=Plane.AXIAL,
        contrasts=("t1",), pictures=noise, mask=np.zeros((200, 200), dtype=np.bool_),
    )  # fmt: skip
    assert structured(build_cache([empty, _slice(lesion=None, patient="a")])).tolist() == [False, True]


def test_is_empty_tells_noise_from_a_head() -> None:
    noise = np.random.default_rng(0).integers(0, 9, (200, 200)).astype(np.uint8)
    assert is_empty(HEAD_BOX.prepare(noise))
    assert is_empty(HEAD_BOX.prepare(np.pad(noise, ((0, 0), (60, 60)))))
    spot = noise.copy()
    spot[95:103, 90:99] = 40
    assert is_empty(HEAD_BOX.prepare(spot))
    noisy = np.random.default_rng(1).normal(0, 8, head().shape) + head()
    assert not is_empty(HEAD_BOX.prepare(noisy))
    assert not is_empty(HEAD_BOX.prepare(head()))


def test_batch_depends_on_seed_and_step_alone() -> None:
    cache = _bank()
    first, second = BatchMaker(cache, seed=4).batch(9), BatchMaker(cache, seed=4).batch(9)
    assert torch.equal(first.images, second.images)
    assert first.sources == second.sources
    assert not torch.equal(first.images, BatchMaker(cache, seed=4).batch(10).images)
    assert not torch.equal(first.images, BatchMaker(cache, seed=5).batch(9).images)


def test_batches_give_every_source_both_labels() -> None:
    maker = BatchMaker(_bank(), seed=1)
    seen: dict[str, list[float]] = {}
    for step in range(12):
        batch = maker.batch(step)
        assert torch.equal(batch.masks.flatten(1).any(dim=1).float(), batch.tumor)
        for source, tumor, brain in zip(batch.sources, batch.tumor.tolist(), batch.brain.tolist(), strict=True):
            assert brain == float(bool(source))
            seen.setdefault(source, []).append(tumor)
    assert 0.35 < float(np.mean(seen["lgg"])) < 0.75
    assert 0.15 < float(np.mean(seen["ixi"])) < 0.65
    assert not any(seen[""])


def test_batch_maker_without_tumor_is_rejected() -> None:
    cache = _bank()
    with pytest.raises(RejectedInput):
        BatchMaker(cache.where(~cache.tumor), seed=0)


def test_read_lgg_missing_contrast_is_left_out(tmp_path: Path) -> None:
    write_lgg(tmp_path, {"p1": "train"})
    slices = list(read_lgg(tmp_path))
    assert [item.contrasts for item in slices[:2]] == [("t1", "flair"), ("t1", "flair", "t1c")]
    assert [item.tumor for item in slices] == [False, True] * 3
    assert slices[0].position == 0.0
    assert slices[-1].position == 1.0
