"""Pools: the three limits that the DAGs name, made sure of when the scheduler starts.

Airflow never runs a task whose pool does not exist and only says so in the scheduler's log. So the scheduler itself
creates what is missing, from `pools.json`, the file that `airflow pools import` reads as well. A pool that exists is
left alone: its size belongs to whoever runs the installation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import structlog
from airflow.listeners import hookimpl

POOLS_FILE: Final = Path(__file__).with_name("pools.json")

_log = structlog.get_logger(__name__)


def ensure_pools() -> list[str]:
    """Create the pools that are missing and return their names; needs the metadata database."""
    from airflow.models.pool import Pool  # noqa: PLC0415  (the database layer is the scheduler's alone)

    created = []
    for name, pool in json.loads(POOLS_FILE.read_text(encoding="utf-8")).items():
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(name, pool["slots"], pool["description"], pool["include_deferred"])
            created.append(name)
    return created


class PoolKeeper:
    """Listener that keeps the pools' promise: called once when a component of Airflow starts."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Make the pools where the component is the scheduler; other components need none."""
        if getattr(component, "job_type", None) != "SchedulerJob":
            return
        created = ensure_pools()
        if created:
            _log.info("pools created", pools=created)
