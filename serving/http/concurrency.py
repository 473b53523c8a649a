"""A limit of how many requests of one kind a process works on at once; one more is refused at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from braingranary.errors import Code, TransientFailure


class ConcurrencyLimit:
    """A semaphore that never waits, so that slow requests of one kind never hold all threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = threading.BoundedSemaphore(limit)

    def acquire(self) -> None:
        """Count one in; raises TransientFailure(SERVER_BUSY), answered 503, where as many are at work already."""
        if not self._free.acquire(blocking=False):
            raise TransientFailure(Code.SERVER_BUSY, "as many of these requests as it takes are being answered")

    def release(self) -> None:
        """Count one out, from any thread."""
        self._free.release()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Count one in for the time of a block."""
        self.acquire()
        try:
            yield
        finally:
            self.release()
