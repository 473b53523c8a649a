"""DAG files parse without an error and without the weight of what their tasks do."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

from braingranary.orchestration.plugin import BrainGranaryPlugin

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))

HEAVY = {
    "torch", "pyspark", "pydicom", "numpy", "boto3", "botocore", "pandas", "pyarrow", "psycopg", "nibabel", "PIL",
    "scipy", "airflow.providers.apache.spark.hooks", "airflow.providers.amazon.aws",
}  # fmt: skip
MODULES_MAX = 150
"""Modules that all DAG files together may add to what Airflow has imported anyway; 85 when this was written."""

PROBE = """
import json, runpy, sys, time
import airflow.sdk
before = set(sys.modules)
start = time.process_time()
for path in sys.argv[1:]:
    runpy.run_path(path)
print(json.dumps({"added": sorted(set(sys.modules) - before), "all": sorted(sys.modules),
                  "cpu_ms": 1000 * (time.process_time() - start)}))
"""


def test_dag_bag_every_file_imports_without_error(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == [path.stem for path in FILES]


def test_parsing_fresh_interpreter_imports_nothing_heavy() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, *map(str, FILES)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    seen = json.loads(ran.stdout.splitlines()[-1])
    print(f"dag parsing: modules_added={len(seen['added'])} cpu_ms={seen['cpu_ms']:.0f} files={len(FILES)}")
    assert HEAVY.isdisjoint(seen["all"])
    assert len(seen["added"]) <= MODULES_MAX


def test_airflowignore_lists_the_library() -> None:
    # Otherwise Airflow imports every module of the library under its bare file name and shadows the standard library.
    assert "braingranary/" in (ROOT / "plugins" / ".airflowignore").read_text().split()


def test_environment_never_holds_pyspark_client() -> None:
    # It unpacks into pyspark's own folder and breaks it without a word.
    assert "pyspark-client" not in {distribution.metadata["Name"].lower() for distribution in distributions()}


def test_ruff_airflow_rules_find_nothing() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "AIR", "dags", "plugins/braingranary/orchestration"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout


def test_plugin_is_small_and_registered_by_entry_point() -> None:
    source = ROOT / "plugins" / "braingranary" / "orchestration" / "plugin.py"
    assert len(source.read_text().splitlines()) < 60
    points = [point for found in distributions() for point in found.entry_points if point.group == "airflow.plugins"]
    assert BrainGranaryPlugin in [point.load() for point in points if point.name == "braingranary"]
