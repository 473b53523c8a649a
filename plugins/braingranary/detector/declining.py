"""The decline head, refitted on frozen features once the network is trained.

Why a second pass: training shows squares cut from the bank, and one picture in eight is no brain. A user's photograph
comes through `preprocess.prepare`, which crops to the foreground and so shows textures at sizes that training did not.
Here brains and everything else come the way uploads come, in equal number, and only the small head that says "is this a
brain" learns from them; lesion and tumour answers are not touched.

In: a trained network and labelled slices of training patients. Out: a copy with another `brain_head`. Deterministic for
a seed. Fails as `prepare` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from braingranary.detector.augment import blur, shave, warp_intensity
from braingranary.detector.data import LabelledSlice
from braingranary.detector.fused import fused
from braingranary.detector.network import TumorNet
from braingranary.detector.not_brain import PHOTOGRAPHS_TO_TRAIN, crop_of, jigsaw, photographs, procedural
from braingranary.detector.predict import is_empty
from braingranary.detector.preprocess import TONE_CEILING, Picture, Plane32, normalize, prepare

PICTURES_A_CLASS = 3000
PLAIN_PART = 0.5
"""Part of the brains that are shown as they are; the others as a viewer, a phone or a careless export shows them."""
HARDENED_PART = 0.15
"""Part of the pictures, of either kind, whose tones go through what training did to them: the head stays as general."""
STRIPPED_PART = 0.25
"""Part of the brains that lose their skulls, as research pipelines take them off and templates never had them."""
RIM_PART = 0.1
RIM = 0.15
"""So many of the brains come from the first and last slices of their heads, where least is to be seen."""
ROUNDS = 300
LEARNING_RATE = 5e-3
WEIGHT_DECAY = 0.5
DROPOUT = 0.3
LABEL_SMOOTHING = 0.02
"""The last three keep the head from certainty about heads of a kind that it was never shown."""
SMALLEST_SPREAD = 1e-3
"""A feature that hardly moves is not blown up."""
BATCH_SIZE = 32
SIDES_PX = (72, 384)


def refit_brain_head(network: TumorNet, slices: Sequence[LabelledSlice], *, seed: int) -> TumorNet:
    """A copy of `network` whose brain head has seen as much that is no brain as brains, all through `prepare`."""
    rng = np.random.default_rng(seed)
    brains = features(network, _brains(slices, rng))
    others = features(network, _others(slices, rng))
    inputs = torch.cat([brains, others])
    labels = torch.cat([torch.ones(len(brains)), torch.zeros(len(others))])
    refitted = deepcopy(network)
    _fit(refitted.brain_head.requires_grad_(True), inputs, labels, seed)
    return refitted.eval()


def _fit(head: nn.Module, inputs: Tensor, labels: Tensor, seed: int) -> None:
    """Train the head afresh on standardized features, then put the standardization into its first layer."""
    torch.manual_seed(seed)
    layers = [layer for layer in head.modules() if isinstance(layer, nn.Linear)]
    for layer in layers:
        layer.reset_parameters()
    mean, spread = inputs.mean(0), inputs.std(0) + SMALLEST_SPREAD
    standard = (inputs - mean) / spread
    soft = labels * (1.0 - 2.0 * LABEL_SMOOTHING) + LABEL_SMOOTHING
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, ROUNDS)
    for _ in range(ROUNDS):
        shown = functional.dropout(standard, DROPOUT)
        loss = functional.binary_cross_entropy_with_logits(head(shown).squeeze(1), soft)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        layers[0].weight.div_(spread)
        layers[0].bias.sub_(layers[0].weight @ mean)


def features(network: TumorNet, planes: Iterator[Plane32]) -> Tensor:
    """(N, features): what the brain head of `network` is given for N prepared planes."""
    seen: list[Tensor] = []
    answering = fused(network)
    handle = answering.brain_head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    batch: list[Plane32] = []
    try:
        with torch.inference_mode():
            for plane in planes:
                batch.append(plane)
                if len(batch) == BATCH_SIZE:
                    answering(torch.from_numpy(np.stack(batch))[:, None])
                    batch.clear()
            if batch:
                answering(torch.from_numpy(np.stack(batch))[:, None])
    finally:
        handle.remove()
    return torch.cat(seen).clone()


def _brains(slices: Sequence[LabelledSlice], rng: np.random.Generator) -> Iterator[Plane32]:
    sources = sorted({item.source for item in slices})
    by_source = [[item for item in slices if item.source == source] for source in sources]
    rims = [[item for item in group if not RIM <= item.position <= 1.0 - RIM] or group for group in by_source]
    made = 0
    while made < PICTURES_A_CLASS:
        # Half by slice, half by source: a source with few slices is a kind of head like any other.
        number = int(rng.integers(len(by_source)))
        group = slices if rng.random() < 0.5 else by_source[number]
        group = rims[number] if rng.random() < RIM_PART else group
        item = group[int(rng.integers(len(group)))]
        picture: Picture = item.pictures[int(rng.integers(len(item.pictures)))]
        if rng.random() < STRIPPED_PART:
            picture = stripped(picture, rng)
        ready = prepare(picture if rng.random() < PLAIN_PART else as_shown(picture, rng))
        if not is_empty(ready):
            made += 1
            yield hardened(ready.plane, rng)


def _others(slices: Sequence[LabelledSlice], rng: np.random.Generator) -> Iterator[Plane32]:
    known = photographs(PHOTOGRAPHS_TO_TRAIN)
    made = 0
    while made < PICTURES_A_CLASS:
        side, kind = int(rng.integers(*SIDES_PX)), rng.random()
        if kind < 0.4 and known:
            picture: Picture = crop_of(known[int(rng.integers(len(known)))], rng, side)
        elif kind < 0.5:
            item = slices[int(rng.integers(len(slices)))]
            brain = item.pictures[int(rng.integers(len(item.pictures)))].astype(np.float32)
            square = min(brain.shape)
            picture = jigsaw(brain[:square, :square], rng)
        else:
            picture = procedural(rng, side)
        ready = prepare(picture if rng.random() < PLAIN_PART else as_shown(picture, rng))
        if not ready.blank:
            made += 1
            yield hardened(ready.plane, rng)


def hardened(plane: Plane32, rng: np.random.Generator) -> Plane32:
    """A prepared plane, every so often with its tones changed as training changes them, and prepared again."""
    if rng.random() >= HARDENED_PART:
        return plane
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    square = torch.from_numpy(plane * np.float32(255.0 / TONE_CEILING))[None]
    return normalize(warp_intensity(square, generator)[0].numpy())


def stripped(picture: Picture, rng: np.random.Generator) -> Plane32:
    """Without its skull, every other one smooth as an average of many heads is."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    brain = shave(torch.from_numpy(picture.astype(np.float32))[None], generator)
    if rng.random() < 0.5:
        brain = blur(brain, generator)
    return np.asarray(brain[0].numpy(), dtype=np.float32)


def as_shown(picture: Picture, rng: np.random.Generator) -> NDArray[np.float32]:
    """Turned, mirrored, windowed, noisy, framed: what happens to a picture between a scanner and an upload."""
    shown = np.rot90(picture.astype(np.float32), int(rng.integers(4)))
    if rng.random() < 0.5:
        shown = shown[:, ::-1]
    low, high = float(shown.min()), float(shown.max())
    shown = np.clip((shown - low) / max((high - low) * rng.uniform(0.5, 1.0), 1e-6), 0.0, 1.0) ** rng.uniform(0.6, 1.6)
    if rng.random() < 0.5:
        shown = shown + rng.normal(0.0, rng.uniform(0.0, 0.06), shown.shape)
    if rng.random() < 0.3:
        width = int(rng.integers(4, 40))
        shown = np.pad(shown, width, constant_values=float(rng.choice([0.0, 1.0])))
    return np.asarray(shown * 255.0, dtype=np.float32)
