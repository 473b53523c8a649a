"""The training cache: every labelled slice as equal uint8 squares in memory, so that a training step decodes nothing.

Squares are cut as the preprocessing cuts, with more margin, so that augmentation can shift and scale with real
surroundings; tone is left as it is, since `tone.normalize` runs after augmentation. In: labelled slices. Out:
`TrainingCache`, saved as one .npz (no pickle inside); its content hash is what every model names as its data hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from braingranary.detector.data.labelled import LabelledSlice
from braingranary.detector.model.preprocessing.frame import Frame, cut
from braingranary.detector.model.preprocessing.picture import FLOOR_PERCENTILE, checked
from braingranary.detector.model.preprocessing.pipeline import HEAD_BOX
from braingranary.errors import Code, RejectedInput

CACHE_SIDE_PX = 192
CACHE_MARGIN_FRACTION = 0.15
CHANNELS = 3
"""A slice has at most three co-registered contrasts; missing ones repeat those that are there."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainingCache:
    """N slices; every array's first axis is N."""

    images: NDArray[np.uint8]
    """(N, CHANNELS, CACHE_SIDE_PX, CACHE_SIDE_PX)."""
    masks: NDArray[np.bool_]
    """(N, CACHE_SIDE_PX, CACHE_SIDE_PX)."""
    contrasts: NDArray[np.str_]
    """(N, CHANNELS)."""
    sources: NDArray[np.str_]
    sites: NDArray[np.str_]
    patients: NDArray[np.str_]
    splits: NDArray[np.str_]
    positions: NDArray[np.float32]
    planes: NDArray[np.str_]

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @property
    def tumor(self) -> NDArray[np.bool_]:
        """(N,): the label of each slice, from its mask."""
        return np.asarray(self.masks.any(axis=(1, 2)))

    def where(self, chosen: NDArray[np.bool_]) -> TrainingCache:
        """The slices for which `chosen` is True."""
        return TrainingCache(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def sha256(self) -> str:
        """Content hash over all arrays: the data hash of a model."""
        digest = hashlib.sha256()
        for field in fields(self):
            array = np.ascontiguousarray(getattr(self, field.name))
            digest.update(f"{field.name}:{array.dtype.str}:{array.shape}".encode())
            digest.update(array.view(np.uint8).data if array.size else b"")
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write the .npz whole or not at all."""
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **{field.name: getattr(self, field.name) for field in fields(self)})
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> TrainingCache:
        """Read what `save` wrote; RejectedInput where the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError) as error:
            raise RejectedInput(Code.TRAINING_DATA_INVALID, "not a cache of training slices") from error


def build_cache(slices: Iterable[LabelledSlice]) -> TrainingCache:
    """Cut every slice; one frame a slice, from the mean of its contrasts, so that they stay registered."""
    images, masks, contrasts, kept = [], [], [], []
    for item in slices:
        mean = checked(item.pictures.astype(np.float32).mean(axis=0))
        frame = HEAD_BOX.frame_of(mean, CACHE_MARGIN_FRACTION)
        squares = [_square(picture, frame) for picture in item.pictures]
        order = [n % len(squares) for n in range(CHANNELS)]
        images.append(np.stack([squares[n] for n in order]))
        contrasts.append([item.contrasts[n] for n in order])
        # A frame may cut the mask's square out of more than the picture; outside there is no tumour.
        masks.append(cut(item.mask.astype(np.float32), frame, CACHE_SIDE_PX) > 0.5)
        kept.append(item)
    if not kept:
        raise RejectedInput(Code.TRAINING_DATA_INVALID, "no slices to cache")
    return TrainingCache(
        images=np.stack(images),
        masks=np.stack(masks),
        contrasts=np.array(contrasts, dtype=np.str_),
        sources=np.array([item.source for item in kept], dtype=np.str_),
        sites=np.array([item.site for item in kept], dtype=np.str_),
        patients=np.array([item.patient for item in kept], dtype=np.str_),
        splits=np.array([item.split for item in kept], dtype=np.str_),
        positions=np.array([item.position for item in kept], dtype=np.float32),
        planes=np.array([str(item.plane) for item in kept], dtype=np.str_),
    )


def _square(picture: NDArray[np.generic], frame: Frame) -> NDArray[np.uint8]:
    """One contrast in the frame, its own range to 0..255."""
    values = checked(picture)
    square = cut(values, frame, CACHE_SIDE_PX)
    low = float(np.percentile(values, FLOOR_PERCENTILE))
    span = max(float(np.percentile(square, 99.8)) - low, 1e-6)
    return np.asarray(np.clip((square - low) / span, 0.0, 1.0) * 255.0 + 0.5, dtype=np.uint8)
