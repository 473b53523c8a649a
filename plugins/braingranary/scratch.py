"""Scratch files: nameless, in the temporary folder (TMPDIR), gone with the process. Full, they fail for now alone."""

from __future__ import annotations

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
