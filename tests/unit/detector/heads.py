"""Made-up heads for the detector's tests: a skull, a textured brain, and a bright lesion where asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 200
COLUMNS = ("patient", "site", "slice", "split", "tumor", "mask_px", "pre_missing", "post_missing", "image")


def head(*, lesion: tuple[int, int, int] | None = None, seed: int = 0, side: int = SIDE) -> NDArray[np.uint8]:
    """A head of `side` pixels; `lesion` is (row, column, radius)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    distance = np.hypot((rows - side / 2) / (0.42 * side), (columns - side / 2) / (0.34 * side))
    texture = rng.standard_normal((side // 8, side // 8)).astype(np.float32)
    smooth = np.asarray(Image.fromarray(texture).resize((side, side), Image.Resampling.BICUBIC))
    picture = np.where(distance < 1.0, 210.0, 4.0)
    picture = np.where(distance < 0.9, 20.0, picture)
    picture = np.where(distance < 0.82, 100.0 + 9.0 * smooth, picture)
    if lesion is not None:
        picture = np.where(disc(lesion, side), 190.0, picture)
    return np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


def disc(lesion: tuple[int, int, int], side: int = SIDE) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:side, :side]
    return np.asarray(np.hypot(rows - lesion[0], columns - lesion[1]) < lesion[2])


def write_lgg(folder: Path, patients: dict[str, str], *, slices: int = 6) -> None:
    """A set like slices/lgg: every second slice has a lesion; `patients` maps a name to its split."""
    root = folder / "slices" / "lgg"
    root.mkdir(parents=True)
    rows = []
    for number, (patient, split) in enumerate(patients.items()):
        (root / patient).mkdir()
        for index in range(1, slices + 1):
            lesion = (100, 80 + 4 * index, 14) if index % 2 == 0 else None
            channels = [head(lesion=lesion, seed=100 * number + index) for _ in range(3)]
            name = f"{patient}/{index:03}.webp"
            Image.fromarray(np.stack(channels, axis=-1)).save(root / name, lossless=True)
            if lesion is not None:
                Image.fromarray(disc(lesion)).save(root / patient / f"{index:03}_mask.png")
            area = int(disc(lesion).sum()) if lesion else 0
            site = "DU" if number % 2 == 0 else "HT"
            rows.append([patient, site, index, split, int(lesion is not None), area, 0, int(index == 1), name])
    with (root / "slices.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
