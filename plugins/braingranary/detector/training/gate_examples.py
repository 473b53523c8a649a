"""What the gate learns from: brains and everything else, as uploads bring them.

Training of the tumour network shows squares cut from the training cache. A user's photograph is prepared as a whole,
which crops to the foreground and so shows textures at sizes that training did not. Here every picture takes that path,
turned, tilted, framed, windowed and noisy as between a scanner and an upload.

In: labelled slices of training patients. Out: prepared planes as uint8 (N, S, S); `plane_of` turns them back. What
shows no head is left out: a slice of air called a brain would teach the gate to let noise through. Deterministic for a
generator. Fails as `prepare` does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from braingranary.detector.data.labelled import LabelledSlice
from braingranary.detector.data.negatives import PHOTOGRAPHS_TO_TRAIN, crop_of, jigsaw, photographs, procedural
from braingranary.detector.data.synthetic_scenes import scene, squeezed
from braingranary.detector.evaluation.predict import is_empty
from braingranary.detector.model.preprocessing.picture import SMALLEST_SIDE_PX, Picture, Plane32
from braingranary.detector.model.preprocessing.pipeline import HEAD_BOX
from braingranary.detector.model.preprocessing.tone import TONE_CEILING
from braingranary.detector.training.augment import blur, strip_skull
from braingranary.detector.training.lesions import implant, squared

EXPORTED_PART = 0.6
"""Part of the brains that are shown as a viewer, a phone or a careless export shows them."""
STRIPPED_PART = 0.35
"""Part of the brains that lose their skulls, as research pipelines take them off and templates never had them."""
STRIPPED_FROM = 0.08
"""Below this part of a head there is nothing but what stripping takes away."""
LEFT_AFTER_STRIPPING = 0.15
PARTED_PART = 0.35
"""So many of the stripped brains fall into their lobes, as where dark fluid and bone lie between them."""
PARTED_BELOW = (0.3, 0.65)
"""Of the bright tissue: what is darker goes."""
LOBES_PART = 0.4
LOBES_MAX = 4
"""So many of the stripped brains show a few round parts alone, as cerebellum and temporal poles lie on black."""
TUMOR_PART = 0.3
"""So many of the brains show a tumour, however large: the gate must never take one for what is no brain."""
LARGE_LESION_PART = 0.12
LARGE_LESION_RADII = (0.1, 0.33)
"""So many show a made-up lesion that fills up to a hemisphere: few patients do, and they must not be turned away."""
SMALL_PART = 0.12
SMALL_SCALE = (0.4, 0.8)
AIR_NOISE = (2.0, 20.0)
GREY_STEPS = (1.0, 4.0, 8.0, 16.0, 32.0)
"""So many lie small in noisy air, kept in coarse steps of grey, which draws the frame away from the head."""
VISIBLE = 0.1
"""Of the brightest: what is darker counts as air."""
RIM_PART = 0.15
RIM = 0.15
"""So many of the brains come from the first and last slices of their heads, where least is to be seen."""
LOW_PART = 0.15
LOW = (0.08, 0.4)
"""So many come from where cerebellum, brain stem and temporal lobes lie apart: few slices, and unlike all others."""
TILT_DEGREES = 25.0
SIDES_PX = (64, 320)

Planes8 = NDArray[np.uint8]


def brain_planes(slices: Sequence[LabelledSlice], count: int, rng: np.random.Generator) -> Planes8:
    """(count, S, S) uint8 of heads; sources weigh half by their slices, half alike."""
    sources = sorted({item.source for item in slices})
    by_source = [[item for item in slices if item.source == source] for source in sources]
    rims = [[item for item in group if not RIM <= item.position <= 1.0 - RIM] or group for group in by_source]
    lows = [[item for item in group if LOW[0] <= item.position <= LOW[1]] or group for group in by_source]
    tumors = [item for item in slices if item.tumor]
    planes: list[Planes8] = []
    while len(planes) < count:
        number = int(rng.integers(len(by_source)))
        group = slices if rng.random() < 0.5 else by_source[number]
        group = rims[number] if rng.random() < RIM_PART else group
        group = lows[number] if rng.random() < LOW_PART else group
        group = tumors if tumors and rng.random() < TUMOR_PART else group
        item = group[int(rng.integers(len(group)))]
        picture: Picture = item.pictures[int(rng.integers(len(item.pictures)))]
        if is_empty(HEAD_BOX.prepare(picture)):
            continue
        unusual = rng.random()
        if unusual < LARGE_LESION_PART:
            picture = with_large_lesion(picture, rng)
        elif unusual < LARGE_LESION_PART + SMALL_PART:
            picture = small_in_noisy_air(picture, rng)
            if is_empty(HEAD_BOX.prepare(picture)):
                continue
        elif item.position > STRIPPED_FROM and rng.random() < STRIPPED_PART:
            bare = skull_stripped(picture, rng)
            if _visible(bare) < LEFT_AFTER_STRIPPING * _visible(picture):
                continue
            picture = bare
        if rng.random() < EXPORTED_PART:
            picture = as_exported(rotated(picture, rng), rng)
        planes.append(to_uint8(HEAD_BOX.prepare(picture).plane))
    return np.stack(planes)


def negative_planes(slices: Sequence[LabelledSlice], count: int, rng: np.random.Generator) -> Planes8:
    """(count, S, S) uint8 of what is no brain: photographs, made-up pictures, brains cut into pieces."""
    known = photographs(PHOTOGRAPHS_TO_TRAIN)
    planes: list[Planes8] = []
    while len(planes) < count:
        picture = _other(slices, known, rng)
        if rng.random() < 0.5:
            picture = as_exported(rotated(picture, rng) if rng.random() < 0.5 else picture, rng)
        if min(picture.shape) < SMALLEST_SIDE_PX:
            continue
        ready = HEAD_BOX.prepare(picture)
        if not ready.blank:
            planes.append(to_uint8(ready.plane))
    return np.stack(planes)


def _other(
    slices: Sequence[LabelledSlice], known: Sequence[NDArray[np.uint8]], rng: np.random.Generator
) -> NDArray[np.float32]:
    side, kind = int(np.exp(rng.uniform(*np.log(SIDES_PX)))), rng.random()
    if kind < 0.22 and known:
        picture = crop_of(known[int(rng.integers(len(known)))], rng, side)
        return squeezed(picture, rng) if rng.random() < 0.5 else picture
    if kind < 0.27:
        item = slices[int(rng.integers(len(slices)))]
        brain = item.pictures[int(rng.integers(len(item.pictures)))].astype(np.float32)
        square = min(brain.shape)
        return jigsaw(brain[:square, :square], rng)
    return procedural(rng, side) if kind < 0.62 else scene(rng, side)


def from_uint8(planes: Planes8) -> NDArray[np.float32]:
    """uint8 planes as `prepare` gave them, to within 1/200."""
    return planes.astype(np.float32) * np.float32(TONE_CEILING / 255.0)


def to_uint8(plane: Plane32) -> Planes8:
    """A prepared plane in a quarter of its bytes, to within 1/200."""
    return np.asarray(np.rint(plane * (255.0 / TONE_CEILING)), dtype=np.uint8)


def _visible(picture: Picture) -> float:
    return float((picture > VISIBLE * picture.max()).mean())


def with_large_lesion(picture: Picture, rng: np.random.Generator) -> Plane32:
    """0..255, with a large made-up lesion where there is room for one."""
    square = squared(_bright(picture))
    planted = implant(square, rng, LARGE_LESION_RADII)
    return np.asarray(square if planted is None else planted[0], dtype=np.float32)


def small_in_noisy_air(picture: Picture, rng: np.random.Generator) -> Plane32:
    """0..255, smaller in its field, under the noise of a magnitude image and in few steps of grey."""
    whole = _bright(picture)
    scale = rng.uniform(*SMALL_SCALE)
    height, width = (max(int(side * scale), SMALLEST_SIDE_PX) for side in whole.shape)
    field = np.zeros_like(whole)
    top, left = int(rng.integers(whole.shape[0] - height + 1)), int(rng.integers(whole.shape[1] - width + 1))
    small = Image.fromarray(whole).resize((width, height), Image.Resampling.BILINEAR)
    field[top : top + height, left : left + width] = np.asarray(small)
    real, imaginary = rng.normal(0.0, rng.uniform(*AIR_NOISE), (2, *field.shape))
    step = float(rng.choice(GREY_STEPS))
    return np.asarray(np.floor(np.hypot(field + real, imaginary) / step) * step, dtype=np.float32)


def _bright(picture: Picture) -> Plane32:
    return np.asarray(picture * (255.0 / max(float(picture.max()), 1e-6)), dtype=np.float32)


def skull_stripped(picture: Picture, rng: np.random.Generator) -> Plane32:
    """Without its skull, every other one smooth as an average of many heads is."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    brain = strip_skull(torch.from_numpy(picture.astype(np.float32))[None], generator)
    if rng.random() < PARTED_PART:
        tissue = float(np.percentile(brain[brain > 0].numpy(), 90.0)) if bool((brain > 0).any()) else 0.0
        brain = brain * (brain > tissue * rng.uniform(*PARTED_BELOW))
    if rng.random() < LOBES_PART:
        brain = brain * torch.from_numpy(_lobes(brain[0].numpy() > 0, rng))
    if rng.random() < 0.5:
        brain = blur(brain, generator)
    return np.asarray(brain[0].numpy(), dtype=np.float32)


def _lobes(brain: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A union of ellipses inside the box around `brain`, one of them large."""
    rows, columns = (np.flatnonzero(brain.any(axis=axis)) for axis in (1, 0))
    if not rows.size or not columns.size:
        return brain
    y, x = np.ogrid[: brain.shape[0], : brain.shape[1]]
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    kept = np.zeros_like(brain)
    for number in range(int(rng.integers(1, LOBES_MAX + 1))):
        reach = rng.uniform(0.25, 0.5, size=2) if number == 0 else rng.uniform(0.08, 0.25, size=2)
        top, left = rows[0] + rng.uniform(0.2, 0.8) * height, columns[0] + rng.uniform(0.2, 0.8) * width
        kept |= ((y - top) / (reach[0] * height)) ** 2 + ((x - left) / (reach[1] * width)) ** 2 < 1.0
    return kept


def rotated(picture: Picture, rng: np.random.Generator) -> NDArray[np.float32]:
    """Turned by less than a right angle and a little out of proportion, each now and then."""
    image = Image.fromarray(np.asarray(picture, dtype=np.float32))
    if rng.random() < 0.5:
        angle, air = rng.uniform(-TILT_DEGREES, TILT_DEGREES), float(np.min(picture))
        image = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=air)
    if rng.random() < 0.3:
        ratio = float(np.exp(rng.uniform(-0.15, 0.15)))
        size = (max(int(image.width * ratio), SMALLEST_SIDE_PX), max(int(image.height / ratio), SMALLEST_SIDE_PX))
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32)


def as_exported(picture: Picture, rng: np.random.Generator) -> NDArray[np.float32]:
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
