"""The Airflow plugin: the few things that Airflow itself must know, registered by entry point.

Airflow finds it by the `airflow.plugins` entry point of the distribution; the plugins folder only holds the library and
is closed to Airflow's own search by plugins/.airflowignore.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

from braingranary.orchestration.pools import PoolKeeper
from braingranary.orchestration.runs import run_key


class BrainGranaryPlugin(AirflowPlugin):
    """A macro for the key of a run, and the keeper of the pools."""

    name = "braingranary"
    macros: list[Any] = [run_key]  # noqa: RUF012  (Airflow declares them so)
    listeners: list[Any] = [PoolKeeper()]  # noqa: RUF012
