"""The pools that tasks name exist as soon as a component of Airflow has started."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from airflow.jobs.job import Job
from airflow.models.pool import Pool

from braingranary.orchestration.pools import POOLS_FILE, PoolKeeper, ensure_pools

NAMES = sorted(json.loads(POOLS_FILE.read_text()))


@pytest.fixture(autouse=True)
def no_pools(airflow_database: None) -> Iterator[None]:
    def remove() -> None:
        for name in NAMES:
            if Pool.get_pool(name) is not None:
                Pool.delete_pool(name)

    remove()
    yield
    remove()


def existing() -> list[str]:
    return sorted(str(pool.pool) for pool in Pool.get_pools() if pool.pool in NAMES)


def test_starting_component_of_airflow_makes_the_missing_pools() -> None:
    Job()  # type: ignore[no-untyped-call]  # what scheduler, DAG processor and triggerer make of themselves when they start
    assert existing() == NAMES


def test_starting_task_makes_no_pools() -> None:
    PoolKeeper().on_starting(component=object())
    assert existing() == []


def test_ensure_pools_leaves_an_existing_pool_as_it_is() -> None:
    Pool.create_or_update_pool(NAMES[0], 17, "mine", False)
    assert sorted(ensure_pools()) == NAMES[1:]
    pool = Pool.get_pool(NAMES[0])
    assert pool is not None
    assert (pool.slots, pool.description) == (17, "mine")
    assert ensure_pools() == []
