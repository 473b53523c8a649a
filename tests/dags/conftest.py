"""The DAGs as Airflow itself reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture(scope="session")
def dag_bag() -> DagBag:
    """Every file of dags/, parsed as the DAG processor does."""
    return DagBag(dag_folder=DAGS_FOLDER, bundle_name="dags-folder")


@pytest.fixture(scope="session")
def dags(dag_bag: DagBag) -> dict[str, DAG]:
    """The DAGs by id."""
    return dict(dag_bag.dags)
