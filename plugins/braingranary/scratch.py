"""Scratch files: nameless, in the temporary folder (TMPDIR), gone with the process. Full, they fail for now alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from braingranary.errors import Code, TransientFailure


@contextmanager
def room_on_disk() -> Iterator[None]:
    """Write to a scratch file; raises TransientFailure(DISK_FULL) where the folder takes no more."""
    try:
        yield
    except OSError as error:
        raise TransientFailure(Code.DISK_FULL, f"the temporary folder takes no more: {error.strerror}") from error


class ScratchFile:
    """Bytes that wait on disk; gone when the last who holds this lets go. Reading is safe from several threads."""

    def __init__(self) -> None:
        with room_on_disk():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as this
        self.size = 0

    def append(self, data: bytes | memoryview) -> int:
        """Write `data` to the end; returns the offset at which it lies."""
        offset, left = self.size, memoryview(data)
        with room_on_disk():
            while left:
                left = left[self._file.write(left) or 0 :]
        self.size += len(data)
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, fewer where the file ends before."""
        with room_on_disk():
            return os.pread(self._file.fileno(), length, offset)
