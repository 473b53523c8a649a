"""A seekable file over one object, by range GETs, so that zipfile can read a remote zip without fetching all of it.

The object is pinned by its ETag: when it is replaced while being read, the next read fails instead of mixing two
versions. Reads ahead in blocks, so that sequential reading costs one request a block.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES: Final = 4 * 1024 * 1024  # one round trip a block; small enough to hold many readers in memory


class ReadableBucket(Protocol):
    """What the reader needs of an object store."""

    def get_range(self, key: str, start: int, length: int, *, etag: str | None = None) -> bytes:
        """Exactly `length` bytes from `start` of one version of the object."""


class RangeReader(io.RawIOBase):
    """Raw, seekable, read-only file over `key`; use `ObjectStore.open`, which buffers it."""

    def __init__(self, store: ReadableBucket, key: str, size: int, etag: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._size = size
        self._etag = etag
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes from the start of the object."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move as every file does; costs no request. Raises ValueError before the start."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the start of the object")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` from one range GET; 0 at the end. Raises as ObjectStore.get_range does."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        data = self._store.get_range(self._key, self._position, wanted, etag=self._etag)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
