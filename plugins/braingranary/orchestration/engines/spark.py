"""The Spark operator: one way to run a job of `spark_jobs/`, wherever the Spark of Connection `granary_spark` is.

Credentials go by environment, never by argv, which every user of a machine can read. The application id is in the log
and the task's result; the driver's lines are the task's log. When the task is stopped, the whole Spark process tree is
ended. Raises SparkJobFailed (tried again by Airflow) or ConfigurationError.

A Spark that is reached in another way is another `SparkRunner`, chosen in `runner_for`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from airflow.sdk import BaseOperator

from braingranary.errors import Code, ConfigurationError
from braingranary.orchestration import policies
from braingranary.orchestration.connections import SPARK_CONNECTION, SparkSettings, spark_settings, store_settings
from braingranary.orchestration.engines.base import SparkJob, SparkRunner
from braingranary.settings import store_environment

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

JOBS_PACKAGE: Final = "spark_jobs"


def application_path(job: str) -> Path:
    """The file of one job of `spark_jobs/`; raises ConfigurationError when there is none of that name."""
    package = importlib.util.find_spec(JOBS_PACKAGE)
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder) / f"{job}.py"
        if path.is_file():
            return path
    raise ConfigurationError(Code.CONFIGURATION_INVALID, f"no Spark job of the name {job} is installed")


def runner_for(settings: SparkSettings) -> SparkRunner:
    """The runner that reaches the Spark of `settings`: spark-submit for `local` and for a standalone master."""
    if settings.local or settings.master.startswith("spark://"):
        from braingranary.orchestration.engines.submit import SubmitRunner  # noqa: PLC0415 - imports the provider

        return SubmitRunner(settings)
    scheme = settings.master.partition(":")[0][:20]
    raise ConfigurationError(
        Code.CONFIGURATION_INVALID, f"connection {SPARK_CONNECTION}: a master of the kind {scheme} cannot be used"
    )


class SparkJobOperator(BaseOperator):
    """Runs one job of `spark_jobs/` on the Spark of `granary_spark`; its result is the application id."""

    template_fields: Sequence[str] = ("arguments", "run_name")
    ui_color: str = "#ffe3c2"

    def __init__(self, *, job: str, arguments: Sequence[str] | XComArg, run_name: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.arguments = arguments
        self.run_name = run_name
        self._runner: SparkRunner | None = None

    def execute(self, context: Context) -> str | None:  # noqa: ARG002  (Airflow's signature)
        """Run the job; returns the application id."""
        self._runner = runner_for(spark_settings())
        outcome = self._runner.run(
            SparkJob(
                name=f"{self.job} {self.run_name}".strip(),
                application=application_path(self.job),
                arguments=tuple(str(argument) for argument in cast(Sequence[str], self.arguments)),
                environment=store_environment(store_settings()),
            )
        )
        return outcome.application_id

    def on_kill(self) -> None:
        """End the Spark process together with the task."""
        if self._runner is not None:
            self._runner.kill()


def spark_job(job: str, arguments: Sequence[str] | XComArg) -> SparkJobOperator:
    """The task of a DAG that runs `job` under its own name, in the pool and with the time of Spark's jobs."""
    return SparkJobOperator(
        task_id=job,
        job=job,
        arguments=arguments,
        run_name="{{ run_id }}",
        pool=policies.POOL_SPARK,
        execution_timeout=policies.JOB_TIMEOUT,
        doc_md=f"Runs `spark_jobs/{job}.py`; finished batches are kept, so a retry does only the rest.",
    )
