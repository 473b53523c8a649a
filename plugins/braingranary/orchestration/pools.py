"""Pools: the limits that the DAGs name, made sure of when Airflow starts.

Airflow never runs a task whose pool does not exist and only says so in the scheduler's log. So Airflow's own components
create what is missing when they start, from `pools.json`, the file that `airflow pools import` reads as well. A pool
that exists is left alone: its size belongs to whoever runs the installation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import structlog
from airflow.listeners import hookimpl

POOLS_FILE: Final = Path(__file__).with_name("pools.json")
COMPONENT_MODULE: Final = "airflow.jobs.job"
"""Where the class of scheduler, DAG processor and triggerer stands; a running task announces itself as another."""

_log = structlog.get_logger(__name__)


def ensure_pools() -> list[str]:
    """Create the pools that are missing and return their names; needs the metadata database."""
    from airflow.models.pool import Pool  # noqa: PLC0415  (tasks, which load this plugin too, must not touch models)
    from sqlalchemy.exc import IntegrityError  # noqa: PLC0415

    created = []
    for name, pool in json.loads(POOLS_FILE.read_text(encoding="utf-8")).items():
        if Pool.get_pool(name) is not None:
            continue
        try:
            Pool.create_or_update_pool(name, pool["slots"], pool["description"], pool["include_deferred"])
        except IntegrityError:
            continue  # another component, starting at the same moment, was faster
        created.append(name)
    return created


class PoolKeeper:
    """Listener that keeps the pools' promise: called once when a component of Airflow starts."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Make the pools where the component has the metadata database."""
        if type(component).__module__ != COMPONENT_MODULE:
            return
        if created := ensure_pools():
            _log.info("pools_created", pools=created)
