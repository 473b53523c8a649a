"""Pixels of a series that are more than memory should hold: they wait in a scratch file until their volume is built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from braingranary.scratch import ScratchFile


class PixelSpool:
    """The pixels of one series; its file goes when the last image that lies in it is let go."""

    def __init__(self, in_memory_bytes: int) -> None:
        self._left = in_memory_bytes
        self._file: ScratchFile | None = None

    def keep(self, pixels: NDArray[Any]) -> StoredPixels:
        """`pixels` of one frame (rows, columns), in memory or in the file."""
        self._left -= pixels.nbytes
        if self._left >= 0:
            return pixels
        if self._file is None:
            self._file = ScratchFile()
        offset = self._file.append(memoryview(np.ascontiguousarray(pixels).data).cast("B"))
        return SpooledPixels(file=self._file, offset=offset, dtype=pixels.dtype, shape=pixels.shape)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpooledPixels:
    """One frame in the file of a spool."""

    file: ScratchFile
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the stored values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def load(self) -> NDArray[Any]:
        """The stored values (rows, columns), read anew each time."""
        return np.frombuffer(self.file.read(self.offset, self.nbytes), self.dtype).reshape(self.shape)


StoredPixels: TypeAlias = NDArray[Any] | SpooledPixels
