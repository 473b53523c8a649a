"""Pixels of a series that are more than memory should hold: they wait in a scratch file until their volume is built."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from braingranary.scratch import room_on_disk


class PixelSpool:
    """The pixels of one series; its file goes when the last image that lies in it is let go."""

    def __init__(self, in_memory_bytes: int) -> None:
        self._left = in_memory_bytes
        self._file: _ScratchFile | None = None

    def keep(self, pixels: NDArray[Any]) -> StoredPixels:
        """`pixels` of one frame (rows, columns), in memory or in the file."""
        self._left -= pixels.nbytes
        if self._left >= 0:
            return pixels
        if self._file is None:
            self._file = _ScratchFile()
        offset = self._file.append(np.ascontiguousarray(pixels))
        return SpooledPixels(file=self._file, offset=offset, dtype=pixels.dtype, shape=pixels.shape)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpooledPixels:
    """One frame in the file of a spool."""

    file: _ScratchFile
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


class _ScratchFile:
    def __init__(self) -> None:
        with room_on_disk():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the frames in it
        self._size = 0

    def append(self, pixels: NDArray[Any]) -> int:
        """Write to the end; returns where that was."""
        offset, view = self._size, memoryview(pixels.data).cast("B")
        with room_on_disk():
            while view:
                view = view[self._file.write(view) or 0 :]
        self._size += pixels.nbytes
        return offset

    def read(self, offset: int, length: int) -> bytes:
        with room_on_disk():
            return os.pread(self._file.fileno(), length, offset)
