"""The library as one .zip for `--py-files`: how it reaches executors on which it is not installed.

Spark puts a .zip on the path of its Python workers, but not a wheel. Only pure Python of ours goes in: what it imports
must be part of the executors' image. Goes in: a path. Comes out: the zip, the same bytes for the same sources.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent.parent
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def write_library_zip(target: Path) -> Path:
    """Write the zip of package `braingranary` to `target`, which appears whole or not at all; returns `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for source in sorted(PACKAGE.rglob("*.py")):
                member = zipfile.ZipInfo(f"{PACKAGE.name}/{source.relative_to(PACKAGE).as_posix()}", _EPOCH)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o100644 << 16
                archive.writestr(member, source.read_bytes())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target
