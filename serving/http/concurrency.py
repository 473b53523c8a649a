"""A fixed number of places for work that holds a thread for long: who finds none free is told so at once.

Why: threads are few, and one kind of slow request must never hold all of them, so that the others (health among them)
stay quick. Goes in: how many may work at once. Comes out: a place, or TransientFailure(SERVER_BUSY), which is answered
503 with Retry-After.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from braingranary.errors import Code, TransientFailure


class Slots:
    """Places of one process; taken and given back by any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = threading.BoundedSemaphore(limit)

    def take(self) -> None:
        """Take a place; raises TransientFailure(SERVER_BUSY) at once where all are taken."""
        if not self._free.acquire(blocking=False):
            raise TransientFailure(Code.SERVER_BUSY, "as many of these requests as it takes are being answered")

    def release(self) -> None:
        """Give a place back, once for each that was taken."""
        self._free.release()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A place for the time of a block."""
        self.take()
        try:
            yield
        finally:
            self.release()
