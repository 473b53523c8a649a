"""Pictures that are no brain MR: what the gate learns to refuse, and what it is judged on.

For training: procedural textures, gradients, noise, text-like strokes, ring and grid phantoms, cross-sections of limbs
and trunks, jigsaws of brain slices (so that tissue texture alone is not enough), and half of the photographs that come
inside the wheels of scikit-learn and scikit-image. For judging: the other photographs, pydicom's own test files of
other body parts, and procedural pictures from other seeds. Nothing is downloaded; what is not installed is left out.

Out: 2-D float32 pictures in 0..255 of varied size. Deterministic for a given generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from braingranary.detector.model.preprocessing.picture import Picture, Plane32, grey_of
from braingranary.errors import RejectedInput

PHOTOGRAPHS_TO_TRAIN = (
    "china.jpg", "astronaut.png", "brick.png", "coins.png", "coffee.png", "grass.png", "page.png", "retina.jpg",
    "clock_motion.png", "ihc.png", "motorcycle_left.png", "microaneurysms.png",
)  # fmt: skip
PHOTOGRAPHS_TO_JUDGE = (
    "flower.jpg", "camera.png", "cell.png", "chelsea.png", "gravel.png", "horse.png", "hubble_deep_field.jpg",
    "moon.png", "phantom.png", "rocket.jpg", "text.png", "color.png", "logo.png", "chessboard_GRAY.png",
)  # fmt: skip
BODY_PART_FILES = (
    "CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm", "JPEG-lossy.dcm", "JPGExtended.dcm", "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm", "image_dfl.dcm", "liver_1frame.dcm", "rtdose_1frame.dcm", "examples_palette.dcm",
    "examples_rgb_color.dcm", "examples_ybr_color.dcm", "examples_jpeg2k.dcm", "examples_overlay.dcm",
    "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle.dcm",
)  # fmt: skip
"""pydicom's test files whose pixels show no brain: CT, liver mask, dose, ultrasound, angiography, other parts."""


def procedural(rng: np.random.Generator, side: int = 192) -> Plane32:
    """One made-up picture that is no brain."""
    makers: tuple[tuple[Callable[[np.random.Generator, int], Plane32], float], ...] = (
        (_noise_picture, 0.14),
        (_gradient, 0.06),
        (_shapes, 0.16),
        (_strokes, 0.1),
        (_ring_phantom, 0.1),
        (_grid_phantom, 0.06),
        (_body, 0.3),
        (_stripes, 0.08),
    )
    weights = np.array([weight for _, weight in makers])
    maker = makers[int(rng.choice(len(makers), p=weights / weights.sum()))][0]
    picture = maker(rng, side)
    if rng.random() < 0.4:
        picture = picture + rng.normal(0.0, rng.uniform(1.0, 20.0), picture.shape).astype(np.float32)
    return np.asarray(np.clip(picture, 0.0, 255.0), dtype=np.float32)


def photographs(names: tuple[str, ...]) -> list[NDArray[np.uint8]]:
    """The named photographs in grey, largest side at most 512, as far as their packages are installed."""
    pictures = []
    for name in names:
        for package, folder in (("sklearn", "datasets/images"), ("skimage", "data")):
            spec = find_spec(package)
            path = Path(spec.origin).parent / folder / name if spec and spec.origin else None
            if path and path.is_file():
                with Image.open(path) as image:
                    grey = image.convert("RGB").convert("L")
                    grey.thumbnail((512, 512))
                    pictures.append(np.asarray(grey))
    return pictures


def crop_of(photograph: NDArray[np.uint8], rng: np.random.Generator, side: int = 192) -> Plane32:
    """A random square part, sometimes under a round vignette as scopes and phantoms have it."""
    height, width = photograph.shape
    size = int(min(height, width) * rng.uniform(0.3, 1.0))
    top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
    part = Image.fromarray(photograph[top : top + size, left : left + size]).resize((side, side))
    picture = np.asarray(part, dtype=np.float32)
    if rng.random() < 0.25:
        picture = picture * _ellipse(side, rng)
    return picture


def jigsaw(square: Plane32, rng: np.random.Generator) -> Plane32:
    """The square cut into 4 x 4 pieces (or 3 x 3) in random order and turned: brain texture, no brain."""
    parts = int(rng.choice([3, 4]))
    side = square.shape[0] // parts
    tiles = [square[r * side : (r + 1) * side, c * side : (c + 1) * side] for r in range(parts) for c in range(parts)]
    order = rng.permutation(len(tiles))
    turned = [np.rot90(tiles[n], int(rng.integers(4))) for n in order]
    rows = [np.concatenate(turned[r * parts : (r + 1) * parts], axis=1) for r in range(parts)]
    picture = np.zeros_like(square)
    whole = np.concatenate(rows, axis=0)
    picture[: whole.shape[0], : whole.shape[1]] = whole
    return picture


def body_part_pictures() -> Iterator[tuple[str, Picture | None]]:
    """(name, picture) of pydicom's own test files that show no brain; a file this build cannot decode is left out.

    None is what an upload of the file would be declined for at once: it is coloured.
    """
    from pydicom import dcmread  # noqa: PLC0415 - only evaluation needs it
    from pydicom.data import get_testdata_file  # noqa: PLC0415

    for name in BODY_PART_FILES:
        path = get_testdata_file(name, download=False)
        if path is None:
            continue
        try:
            pixels = np.asarray(dcmread(str(path)).pixel_array, dtype=np.float32)
        except (RuntimeError, ValueError, AttributeError, NotImplementedError):
            continue
        if pixels.ndim == 4 or (pixels.ndim == 3 and pixels.shape[-1] not in {3, 4}):
            pixels = pixels[pixels.shape[0] // 2]
        try:
            yield name, grey_of(pixels.astype(np.uint8)) if pixels.ndim == 3 else pixels
        except RejectedInput:
            yield name, None


def _smooth(rng: np.random.Generator, side: int, cells: int) -> Plane32:
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def _noise_picture(rng: np.random.Generator, side: int) -> Plane32:
    """White or coloured noise of one to four scales, with or without a round field of view."""
    picture = np.zeros((side, side), dtype=np.float32)
    for _ in range(int(rng.integers(1, 5))):
        picture += rng.uniform(0.2, 1.0) * _smooth(rng, side, int(np.exp(rng.uniform(np.log(3), np.log(side)))))
    picture = 128 + picture * rng.uniform(20, 70)
    return picture * _ellipse(side, rng) if rng.random() < 0.4 else picture


def _gradient(rng: np.random.Generator, side: int) -> Plane32:
    rows, columns = np.mgrid[:side, :side] / side - rng.uniform(0.2, 0.8)
    if rng.random() < 0.5:
        picture = rng.normal() * rows + rng.normal() * columns
    else:
        picture = np.hypot(rows, columns * rng.uniform(0.5, 2.0)) * rng.choice([-1, 1])
    return np.asarray((picture - picture.min()) / max(np.ptp(picture), 1e-6) * 255, dtype=np.float32)


def _shapes(rng: np.random.Generator, side: int) -> Plane32:
    """A scene of polygons, ellipses and boxes."""
    image = Image.new("L", (side, side), int(rng.integers(0, 160)))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 30))):
        corners = rng.integers(-20, side + 20, size=(int(rng.integers(3, 7)), 2))
        grey = int(rng.integers(0, 256))
        box = [*(int(v) for v in corners.min(axis=0)), *(int(v) for v in corners.max(axis=0))]
        kind = int(rng.integers(3))
        if kind == 0:
            draw.polygon([(int(x), int(y)) for x, y in corners], fill=grey)
        elif kind == 1:
            draw.ellipse(box, fill=grey, outline=int(rng.integers(0, 256)))
        else:
            draw.rectangle(box, fill=grey if rng.random() < 0.6 else None, outline=int(rng.integers(0, 256)))
    return np.asarray(image, dtype=np.float32) + 8 * _smooth(rng, side, 24)


def _strokes(rng: np.random.Generator, side: int) -> Plane32:
    """Lines of writing, a plot or a form: dark on light or light on dark."""
    image = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(image)
    pitch = int(rng.integers(7, 24))
    for row in range(int(rng.integers(2, 20)), side - pitch, pitch):
        column = int(rng.integers(2, 16))
        while column < side - 8:
            for _ in range(int(rng.integers(1, 4))):
                ends = [(column + int(v[0]), row + int(v[1])) for v in rng.integers(0, pitch * 2 // 3, size=(2, 2))]
                draw.line(ends, fill=int(rng.integers(0, 100)), width=int(rng.integers(1, 3)))
            column += int(rng.integers(pitch // 3, pitch + 4))
    picture = np.asarray(image, dtype=np.float32)
    return 255 - picture if rng.random() < 0.6 else picture


def _stripes(rng: np.random.Generator, side: int) -> Plane32:
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    phase = (rows * rng.normal() + columns * rng.normal()) * rng.uniform(0.05, 0.6) + 2 * _smooth(rng, side, 6)
    waves = (
        np.sin(phase) if rng.random() < 0.5 else np.sign(np.sin(phase)) * np.sign(np.sin(rows * rng.uniform(0.05, 0.4)))
    )
    return np.asarray(127 + 110 * waves, dtype=np.float32)


def _ellipse(side: int, rng: np.random.Generator, low: float = 0.3, high: float = 0.48) -> Plane32:
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    return np.asarray(
        (rows / rng.uniform(low, high)) ** 2 + (columns / rng.uniform(low, high)) ** 2 < 1, dtype=np.float32
    )


def _ring_phantom(rng: np.random.Generator, side: int) -> Plane32:
    """A quality phantom: a uniform disc with rods, holes or wedges."""
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    radius = rng.uniform(0.3, 0.48)
    picture = np.where(np.hypot(rows, columns) < radius, rng.uniform(80, 200), 0.0)
    count = int(rng.integers(0, 14))
    for n in range(count):
        angle = 2 * np.pi * n / max(count, 1) + rng.uniform(0, 0.2)
        distance = radius * rng.uniform(0.2, 0.8)
        spot = np.hypot(rows - distance * np.sin(angle), columns - distance * np.cos(angle)) < rng.uniform(0.01, 0.08)
        picture = np.where(spot, rng.uniform(0, 255), picture)
    if rng.random() < 0.5:
        wall = np.abs(np.hypot(rows, columns) - radius) < rng.uniform(0.005, 0.03)
        picture = np.where(wall, rng.uniform(0, 255), picture)
    return np.asarray(picture, dtype=np.float32)


def _grid_phantom(rng: np.random.Generator, side: int) -> Plane32:
    rows, columns = np.mgrid[:side, :side]
    pitch, thick = int(rng.integers(8, 30)), int(rng.integers(1, 6))
    lines = (rows % pitch < thick) | (columns % pitch < thick)
    picture = np.where(lines, rng.uniform(0, 255), rng.uniform(0, 255))
    return np.asarray(picture * (_ellipse(side, rng) if rng.random() < 0.5 else 1.0), dtype=np.float32)


def _body(rng: np.random.Generator, side: int) -> Plane32:
    """A limb, a spine or a trunk: fat rim, muscle with streaks, one or more bones, vessels, organs."""
    aspect = rng.uniform(0.45, 1.0)
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    rows = rows + 0.03 * _smooth(rng, side, 5)
    columns = columns + 0.03 * _smooth(rng, side, 5)
    long, short = rng.uniform(0.36, 0.48), rng.uniform(0.36, 0.48) * aspect
    if rng.random() < 0.5:
        long, short = short, long
    shell = (rows / long) ** 2 + (columns / short) ** 2
    fat, muscle = rng.uniform(120, 255), rng.uniform(40, 150)
    picture = np.where(shell < 1, fat, 0.0)
    picture = np.where(
        shell < rng.uniform(0.55, 0.92), muscle + 18 * _smooth(rng, side, int(rng.integers(8, 60))), picture
    )
    for _ in range(int(rng.integers(1, 9))):
        y, x = rng.uniform(-0.7, 0.7) * long, rng.uniform(-0.7, 0.7) * short
        part = ((rows - y) / rng.uniform(0.02, 0.22)) ** 2 + ((columns - x) / rng.uniform(0.02, 0.22)) ** 2
        grey, rim = rng.uniform(0, 255), rng.uniform(0, 255)
        inside = shell < 0.9
        picture = np.where((part < 1) & inside, rim, picture)
        picture = np.where((part < rng.uniform(0.5, 0.95)) & inside, grey + 10 * _smooth(rng, side, 30), picture)
    return np.asarray(picture, dtype=np.float32)
