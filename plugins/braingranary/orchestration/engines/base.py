"""What every way of running a Spark job shares: the job, its outcome, its failure, and the runner's protocol."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from braingranary.errors import TransientFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkJob:
    """One job to run."""

    name: str
    """Shown as the application's name."""
    application: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of the driver beyond its parent's; the place for secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkOutcome:
    """What is known after a job ended well."""

    application_id: str | None


class SparkJobFailed(TransientFailure):
    """The job ended with an error; its reasons stand in the task's log."""


class SparkRunner(Protocol):
    """Runs one job to its end."""

    def run(self, job: SparkJob) -> SparkOutcome:
        """Run `job`, forwarding its progress to the log; raises SparkJobFailed."""
        ...

    def kill(self) -> None:
        """End a job that is running; does nothing when none is."""
        ...


def python_environment() -> dict[str, str]:
    """Variables that make driver and workers use this very interpreter."""
    return {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
