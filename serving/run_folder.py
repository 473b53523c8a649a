"""The folder of one run of the front door: made when it is first asked for, gone when the run ends, however it does.

Why a module: gunicorn reads its configuration again at every reload, and the workers of before and after must count in
the same folder. A process that replaces this one is another run. Only SIGKILL leaves the folder behind.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path


@functools.cache
def path() -> Path:
    """The folder, which nobody else can read."""
    made = Path(tempfile.mkdtemp(prefix="braingranary-serving-"))
    atexit.register(_remove, made, os.getpid())
    return made


def _remove(made: Path, maker: int) -> None:
    """Workers are forks of the maker, and end before it does."""
    if os.getpid() == maker:
        shutil.rmtree(made, ignore_errors=True)
