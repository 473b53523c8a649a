"""The folder of one run of the front door: made when it is first asked for, gone when the run ends.

Why a module: gunicorn reads its configuration again at every reload, and the workers of before and after must count in
the same folder. A process that replaces this one is another run.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path


@functools.cache
def path() -> Path:
    """The folder, which nobody else can read."""
    return Path(tempfile.mkdtemp(prefix="braingranary-serving-"))


def remove() -> None:
    """Delete it with all that is in it."""
    shutil.rmtree(path(), ignore_errors=True)
