"""Made-up pictures with the statistics of real ones: what the decline gate learns to refuse beside the plainer ones.

Photographs that may be redistributed inside wheels are a dozen, and a network that has seen a dozen knows a dozen. What
natural pictures share can be made without a camera: surfaces that hide each other, of all sizes (the dead leaves model,
Lee, Mumford and Huang 2001), textures whose amplitude falls with frequency (Field 1987), and, for medicine, trunks with
organs, heads as computed tomography shows them, fans of speckle between lines of writing.

Out: 2-D float32 pictures in 0..255, (side, side) unless said otherwise. Deterministic for a given generator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from braingranary.detector.model.preprocessing.picture import Plane32

SMALLEST_LEAF_PX = 3.0
LARGEST_LEAF = 0.45
"""Of the side."""
LEAF_TEXTURES = 4
RATIO_RANGE = (0.4, 2.5)


def scene(rng: np.random.Generator, side: int) -> Plane32:
    """One made-up scene, in two of five cases not square."""
    makers: tuple[tuple[Callable[[np.random.Generator, int], Plane32], float], ...] = (
        (leaves, 0.34),
        (spectral, 0.16),
        (trunk, 0.22),
        (speckle_fan, 0.14),
        (tomogram, 0.14),
    )
    weights = [weight for _, weight in makers]
    picture = makers[int(rng.choice(len(makers), p=weights))][0](rng, side)
    return squeezed(picture, rng) if rng.random() < 0.4 else picture


def squeezed(picture: Plane32, rng: np.random.Generator) -> Plane32:
    """Another ratio of the sides, from upright to panorama."""
    ratio = float(np.exp(rng.uniform(*np.log(RATIO_RANGE))))
    height, width = picture.shape
    size = (max(int(width * min(ratio, 1.0)), 24), max(int(height / max(ratio, 1.0)), 24))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def texture(rng: np.random.Generator, side: int) -> Plane32:
    """Noise whose amplitude falls with frequency, mean 0, deviation 1; half of them bent into blobs or veins."""
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    turned = rng.uniform(0, np.pi)
    along, across = rows * np.cos(turned) + columns * np.sin(turned), columns * np.cos(turned) - rows * np.sin(turned)
    frequency = np.hypot(along, across * np.exp(rng.normal(0.0, 0.5)))
    frequency[0, 0] = 1.0
    waves = np.fft.rfft2(rng.standard_normal((side, side))) * frequency ** -rng.uniform(0.3, 2.4)
    waves[0, 0] = 0.0
    noise = _standard(np.fft.irfft2(waves, s=(side, side)))
    bend = int(rng.integers(6))
    if bend == 0:
        noise = np.abs(noise)
    elif bend == 1:
        noise = np.tanh(noise * rng.uniform(2.0, 10.0))
    elif bend == 2:
        noise = np.sin(noise * rng.uniform(2.0, 8.0))
    return _standard(noise)


def spectral(rng: np.random.Generator, side: int) -> Plane32:
    """Texture alone: clouds, marble, fur, water."""
    return _clipped(rng.uniform(60, 190) + rng.uniform(20, 80) * texture(rng, side))


def leaves(rng: np.random.Generator, side: int) -> Plane32:
    """Textured surfaces that hide each other, many small and few large, under a light from one side."""
    textures = [texture(rng, side) for _ in range(LEAF_TEXTURES)]
    picture = rng.uniform(0, 255) + rng.uniform(0, 30) * textures[0]
    power = rng.uniform(1.5, 3.5)
    low, high = SMALLEST_LEAF_PX ** (1 - power), (LARGEST_LEAF * side) ** (1 - power)
    for _ in range(int(rng.integers(8, 120))):
        radius = float((low + rng.random() * (high - low)) ** (1 / (1 - power)))
        shape = _leaf(rng, radius)
        top, left = (int(v) for v in rng.uniform(-radius, side, size=2))
        rows = slice(max(top, 0), min(top + shape.shape[0], side))
        columns = slice(max(left, 0), min(left + shape.shape[1], side))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        inside = shape[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        surface = textures[int(rng.integers(LEAF_TEXTURES))][rows, columns] * rng.uniform(0, 35)
        slope = rng.normal(0.0, 40.0) / max(radius, 1.0) * np.arange(inside.shape[1])[None]
        picture[rows, columns] = np.where(inside, rng.uniform(0, 255) + surface + slope, picture[rows, columns])
    return _clipped(picture)


def trunk(rng: np.random.Generator, side: int) -> Plane32:
    """A chest, a belly, a pelvis or a pair of legs across: fat, muscle, organs with their textures, spine, arms."""
    aspect = rng.uniform(0.5, 0.85)
    inner = leaves(rng, side) if rng.random() < 0.7 else spectral(rng, side)
    rows, columns = _grid(rng, side)
    picture = np.zeros((side, side), dtype=np.float32)
    pair = rng.random() < 0.25
    centres = [-0.24, 0.24] if pair else [0.0]
    for centre in centres:
        width = 0.21 if pair else 0.44
        height = width if pair else width * aspect
        shell = ((columns - centre) / width) ** 2 + np.abs(rows / height) ** rng.uniform(1.8, 3.0)
        picture = np.where(shell < 1.0, rng.uniform(60, 255), picture)
        wall = rng.uniform(0.6, 0.95)
        picture = np.where(shell < wall, rng.uniform(20, 140), picture)
        picture = np.where(shell < wall * rng.uniform(0.6, 0.95), inner * rng.uniform(0.4, 1.0), picture)
        for _ in range(int(rng.integers(1, 5))):
            y, x = rng.uniform(-0.5, 0.6) * height, centre + rng.uniform(-0.6, 0.6) * width
            size = rng.uniform(0.03, 0.12)
            bone = np.hypot(rows - y, columns - x)
            picture = np.where(bone < size, rng.uniform(0, 255), picture)
            picture = np.where(bone < size * 0.8, rng.uniform(0, 255) + 12 * texture(rng, side), picture)
    if not pair and rng.random() < 0.4:
        for centre in (-0.485, 0.485):
            picture = np.where(
                np.hypot(rows, columns - centre) < rng.uniform(0.03, 0.06), rng.uniform(60, 220), picture
            )
    return _clipped(picture + rng.uniform(0, 8) * rng.standard_normal((side, side)))


def tomogram(rng: np.random.Generator, side: int) -> Plane32:
    """A head or a bone as computed tomography shows it: bright shell, little inside, a rest, a round field."""
    rows, columns = _grid(rng, side)
    air = rng.uniform(0, 90)
    picture = np.full((side, side), air, dtype=np.float32)
    long, short = rng.uniform(0.26, 0.45), rng.uniform(0.2, 0.38)
    shell = np.hypot(rows / long, columns / short)
    thick = rng.uniform(0.05, 0.16)
    picture = np.where(shell < 1 + rng.uniform(0.02, 0.15), air + rng.uniform(10, 60), picture)
    picture = np.where(shell < 1, rng.uniform(190, 255), picture)
    matter = air + rng.uniform(10, 120)
    picture = np.where(shell < 1 - thick, matter + rng.uniform(0, 6) * texture(rng, side), picture)
    for _ in range(int(rng.integers(0, 7))):
        y, x = rng.uniform(-0.6, 0.6) * long, rng.uniform(-0.5, 0.5) * short
        part = np.hypot((rows - y) / rng.uniform(0.02, 0.15), (columns - x) / rng.uniform(0.02, 0.1))
        picture = np.where((part < 1) & (shell < 1 - thick), matter + rng.uniform(-60, 60), picture)
    if rng.random() < 0.5:
        rest = np.abs(np.hypot(rows + 0.05, columns) - rng.uniform(0.42, 0.5)) < rng.uniform(0.004, 0.015)
        picture = np.where(rest & (rows > 0), rng.uniform(100, 255), picture)
    if rng.random() < 0.5:
        picture = np.where(np.hypot(rows, columns) < 0.5, picture, 0.0)
    return _clipped(picture + rng.uniform(0, 10) * rng.standard_normal((side, side)))


def speckle_fan(rng: np.random.Generator, side: int) -> Plane32:
    """An ultrasound screen: a fan or a box of speckle, rulers and lines of writing around it on black."""
    rows, columns = np.mgrid[:side, :side] / side
    grain = Image.fromarray(rng.rayleigh(1.0, (side // 2, side // int(rng.integers(2, 6)))).astype(np.float32))
    speckle = np.asarray(grain.resize((side, side), Image.Resampling.BILINEAR))
    tissue = np.exp(rng.uniform(0.3, 0.9) * texture(rng, side)) * speckle * rng.uniform(25, 80)
    if rng.random() < 0.6:
        apex, opening = rng.uniform(-0.2, 0.15), rng.uniform(0.4, 1.1)
        reach = np.hypot(rows - apex, columns - 0.5)
        seen = (np.abs(np.arctan2(columns - 0.5, rows - apex)) < opening) & (reach < rng.uniform(0.6, 1.0))
        seen &= reach > rng.uniform(0.05, 0.3)
    else:
        top, bottom, left, right = (
            rng.uniform(0.05, 0.35),
            rng.uniform(0.5, 0.95),
            rng.uniform(0, 0.3),
            rng.uniform(0.6, 1),
        )
        seen = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
    screen = Image.fromarray(np.where(seen, np.clip(tissue, 0, 255), 0).astype(np.uint8))
    draw = ImageDraw.Draw(screen)
    for _ in range(int(rng.integers(0, 8))):
        x, y = (int(v) for v in rng.integers(0, side - 30, size=2))
        for letter in range(int(rng.integers(2, 12))):
            ends = [(x + letter * 5 + int(a), y + int(b)) for a, b in rng.integers(0, 5, size=(3, 2))]
            draw.line(ends, fill=int(rng.integers(120, 256)))
    if rng.random() < 0.5:
        edge = int(rng.integers(2, side - 2))
        draw.line([(edge, 0), (edge, side)], fill=int(rng.integers(80, 256)), width=int(rng.integers(1, 4)))
    if rng.random() < 0.3:
        draw.rectangle([0, 0, side, int(rng.integers(4, side // 6))], fill=int(rng.integers(60, 256)))
    return np.asarray(screen, dtype=np.float32)


def _leaf(rng: np.random.Generator, radius: float) -> NDArray[np.bool_]:
    """(2r, 2r): an ellipse, a polygon or a box."""
    size = max(int(2 * radius), 3)
    image = Image.new("1", (size, size))
    draw = ImageDraw.Draw(image)
    kind = rng.random()
    if kind < 0.4:
        squeeze = int(size * rng.uniform(0, 0.3))
        draw.ellipse([squeeze, 0, size - squeeze, size], fill=1)
    elif kind < 0.8:
        angles = np.sort(rng.uniform(0, 2 * np.pi, size=int(rng.integers(3, 9))))
        corners = radius + radius * rng.uniform(0.5, 1.0, size=angles.size) * np.stack([np.cos(angles), np.sin(angles)])
        draw.polygon([(float(x), float(y)) for x, y in corners.T], fill=1)
    else:
        draw.rectangle([0, int(size * rng.uniform(0, 0.6)), size, size], fill=1)
    return np.asarray(image, dtype=np.bool_)


def _grid(rng: np.random.Generator, side: int) -> tuple[Plane32, Plane32]:
    """Rows and columns from -0.5 to 0.5, gently bent."""
    rows, columns = (np.mgrid[:side, :side] / side - 0.5).astype(np.float32)
    coarse = Image.fromarray(rng.standard_normal((5, 10)).astype(np.float32) * 0.02)
    bend = np.asarray(coarse.resize((2 * side, side), Image.Resampling.BICUBIC))
    return rows + bend[:, :side], columns + bend[:, side:]


def _standard(values: NDArray[np.floating]) -> Plane32:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-6), dtype=np.float32)


def _clipped(values: NDArray[np.floating]) -> Plane32:
    return np.asarray(np.clip(values, 0.0, 255.0), dtype=np.float32)
