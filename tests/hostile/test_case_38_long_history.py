"""Case 38: many published runs wait for the catalogue. One task loads them all, however many there are.

`GRANARY_TEST_PENDING_RUNS` sets how many there are (120; the full case: 5,000). What Airflow limits is the number of
mapped tasks, and the load has none.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from airflow.dag_processing.dagbag import DagBag

from braingranary.catalog.schema.migrate import migrate
from braingranary.orchestration.steps import catalog
from braingranary.settings import StoreSettings
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

pytestmark = [pytest.mark.hostile, pytest.mark.stack]
RUNS = int(os.environ.get("GRANARY_TEST_PENDING_RUNS", "120"))


@pytest.fixture
def airflow_connections(s3_settings: StoreSettings, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert s3_settings.secret_key is not None
    fields = {
        "conn_type": "aws",
        "login": s3_settings.access_key,
        "password": s3_settings.secret_key.get_secret_value(),
        "extra": {"endpoint_url": s3_settings.endpoint_url, "bucket": s3_settings.bucket},
    }
    monkeypatch.setenv("AIRFLOW_CONN_GRANARY_S3", json.dumps(fields))
    monkeypatch.setenv("AIRFLOW_CONN_GRANARY_POSTGRES", postgres_dsn.replace("postgresql://", "postgres://", 1))


@pytest.mark.usefixtures("airflow_connections")
def test_pending_runs_load_in_one_go(object_store: ObjectStore, postgres_dsn: str) -> None:
    migrate(postgres_dsn)

    def publish(number: int) -> None:
        name = f"run-{number:05d}"
        object_store.put(keys.published("normalize", name), json.dumps({"run": name, "parts": []}).encode())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(publish, range(RUNS)))
    counts = catalog.load_runs()
    with psycopg.connect(postgres_dsn) as connection:
        row = connection.execute("SELECT count(*) FROM ingest_run").fetchone()
    assert row is not None
    failures = RUNS - row[0]
    assert (counts["runs"], failures) == (RUNS, 0)
    assert all(isinstance(value, int) for value in counts.values())  # the task's result is no list of runs
    print(f"case 38 long_history: pending={RUNS} failures={failures}")


def test_load_dag_maps_no_task_over_the_pending_runs() -> None:
    bag = DagBag(dag_folder=Path(__file__).resolve().parents[2] / "dags", bundle_name="dags-folder")
    tasks = bag.dags["catalog_load"].tasks
    assert [(task.task_id, task.is_mapped) for task in tasks] == [("load_runs", False)]
