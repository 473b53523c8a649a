"""The fork server of the detecting processes, started again without what its environment held of the front door.

Why: it inherits the environment of the process that starts it, with the passwords of database and object store in it,
hands it on to every process that opens hostile bytes, and the kernel shows it to whoever may look at such a process.
multiprocessing offers no other environment, and changing that of a process with threads is not safe. So this module,
the first that the fork server imports, replaces the fork server by itself with the same arguments and open files and
with nothing in its environment but what Python, the libraries of torch and the search for stray processes need.

Importing it anywhere else does nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

KEPT: Final = frozenset({
    "PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV",
    "BRAINGRANARY_PROCESS", "BRAINGRANARY_STATE",  # whose process this is: no secret, and how `make stop` finds it
})  # fmt: skip
KEPT_PREFIXES: Final = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "TORCH_", "MALLOC_")
_FORK_SERVER: Final = "from multiprocessing.forkserver import main"


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a detecting process may have."""
    return {name: value for name, value in environment.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}


def start_again() -> None:
    """Replace this process by itself without the rest of its environment; returns where there is no rest."""
    wanted = kept(os.environ)
    if wanted.keys() != os.environ.keys():
        os.execve(sys.executable, sys.orig_argv, wanted)  # noqa: S606 - the arguments are our own


if sys.orig_argv[-1].startswith(_FORK_SERVER):
    start_again()
