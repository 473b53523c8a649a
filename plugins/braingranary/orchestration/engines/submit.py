"""spark-submit: the runner for Spark on this machine and for a standalone master, in client mode.

The provider's hook builds the command and pumps the driver's lines into the log; added here are an environment without
Airflow's own secrets, this interpreter for driver and workers, a quiet log4j, the application id, and an end for the
whole process tree. Python jobs have no cluster mode on a standalone master: the driver is always a child of the task.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import structlog
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.sdk.exceptions import AirflowException

from braingranary.errors import Code, ConfigurationError
from braingranary.orchestration.connections import SPARK_CONNECTION, SparkSettings
from braingranary.orchestration.engines.base import SparkJob, SparkJobFailed, SparkOutcome, python_environment
from braingranary.settings import child_environment

LOG4J_FILE: Final = Path(__file__).with_name("log4j2.properties")
"""Warnings of Spark and the job's own lines; at the default level a job of a minute logs a thousand lines."""

LOOPBACK: Final = "127.0.0.1"
LOCAL_CONF: Final = {
    # A driver with its executors inside talks to nobody: it listens on no other interface and serves no page.
    "spark.driver.host": LOOPBACK,
    "spark.driver.bindAddress": LOOPBACK,
    "spark.ui.enabled": "false",
}
FOREIGN_VARIABLES: Final = ("AIRFLOW", "_AIRFLOW", "GRANARY_", "PYSPARK_", "SPARK_CONF_DIR")
"""Prefixes of variables that a job does not inherit: Airflow's secrets, and settings that its Connections replace."""

KILL_GRACE_S: Final = 3.0
"""Spark removes its temporary folders meanwhile; Airflow itself waits five seconds before it kills the task."""

_APPLICATION_ID: Final = re.compile(r"\b(local-\d{13}|app-\d{14}-\d{4,})\b")

_LIBRARY_LINE: Final = re.compile(r"^\d{4}-\d\d-\d\d[ T]\S+ \[(\w+) *\] (\S+) *")
"""How the library's own lines begin outside Airflow: time, level, event. The task's log has a time of its own."""

_log = structlog.get_logger(__name__)


class SubmitRunner:
    """Runs one job by `spark-submit` and waits for it."""

    def __init__(self, settings: SparkSettings) -> None:
        self._settings = settings
        self._hook: JobHook | None = None

    def run(self, job: SparkJob) -> SparkOutcome:
        """Submit `job` and stay until it ends; raises SparkJobFailed or ConfigurationError."""
        if self._settings.deploy_mode not in {None, "client"}:
            raise ConfigurationError(
                Code.CONFIGURATION_INVALID, f"connection {SPARK_CONNECTION}: deploy-mode must be client"
            )
        with self._executor_properties(job) as properties:
            hook = self._hook = JobHook(
                conn_id=SPARK_CONNECTION,
                name=job.name,
                conf=self._conf(),
                properties_file=properties,
                py_files=self._settings.py_files,
                application_args=list(job.arguments),
                spark_binary=_binary(),
            )
            try:
                hook.submit(str(job.application), env=self._environment(job), stdin=subprocess.DEVNULL)
            except AirflowException as error:
                code = hook.returncode
                raise SparkJobFailed(Code.INTERNAL, f"the Spark job {job.name} ended with status {code}") from error
            finally:
                self.kill()
        _log.info("spark_job_done", job=job.name, application_id=hook.application_id)
        return SparkOutcome(application_id=hook.application_id)

    def kill(self) -> None:
        """End the driver and everything that it started."""
        if self._hook is not None:
            self._hook.end_processes()

    def _environment(self, job: SparkJob) -> dict[str, str]:
        """The driver's environment; executors inside it (`local`) have the same."""
        address = {"SPARK_LOCAL_IP": LOOPBACK} if self._settings.local else {}
        return child_environment({**python_environment(), **address, **job.environment}, without=FOREIGN_VARIABLES)

    @contextmanager
    def _executor_properties(self, job: SparkJob) -> Iterator[str | None]:
        """A file of Spark properties with which a master gives `job.environment` to its executors; none for `local`.

        Only this account can read it, and only while the job runs; as --conf everybody could read it in the argv.
        """
        if self._settings.local or not job.environment:
            yield None
            return
        with tempfile.NamedTemporaryFile("w", encoding="latin-1", prefix="granary-", suffix=".conf") as file:
            for name, value in job.environment.items():
                file.write(f"spark.executorEnv.{name}={_property(value)}\n")
            file.flush()
            yield file.name

    def _conf(self) -> dict[str, str]:
        conf = {"spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={LOG4J_FILE.as_uri()}"}
        if self._settings.local:
            conf |= LOCAL_CONF
        return conf | self._settings.conf


class JobHook(SparkSubmitHook):
    """The provider's hook, which also notes the application id and can end the process tree."""

    application_id: str | None = None

    @property
    def returncode(self) -> int | None:
        """Exit status of spark-submit, None while it runs."""
        return self._submit_sp.returncode if self._submit_sp else None

    def end_processes(self) -> None:
        """End spark-submit and its descendants: first politely, after a moment for certain."""
        submit = self._submit_sp
        if submit is None or submit.poll() is not None:
            return
        try:
            descendants = psutil.Process(submit.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        _log.info("spark_job_stopping", processes=1 + len(descendants))
        submit.terminate()
        for process in descendants:
            _signal(process.terminate)
        _, alive = psutil.wait_procs(descendants, timeout=KILL_GRACE_S)
        for process in alive:
            _signal(process.kill)
        # Not by psutil: it would take the exit status from whoever waits in `submit`, and a killed job would end well.
        try:
            submit.wait(KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            submit.kill()

    def _process_spark_submit_log(self, itr: Iterator[Any]) -> None:
        super()._process_spark_submit_log(self._watched(itr))

    def _watched(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if self.application_id is None and (found := _APPLICATION_ID.search(line)):
                self.application_id = found.group(1)
            yield _LIBRARY_LINE.sub(_plain, line)


def _binary() -> str:
    """The spark-submit that belongs to this interpreter's pyspark, or the one of the PATH."""
    beside = Path(sys.executable).with_name("spark-submit")
    return str(beside) if os.access(beside, os.X_OK) else "spark-submit"


def _plain(found: re.Match[str]) -> str:
    level, event = found.groups()
    return f"{event} " if level in {"info", "debug"} else f"{level.upper()} {event} "


def _property(value: str) -> str:
    """`value` as java.util.Properties reads it back."""
    units = value.encode("utf-16-be")
    numbers = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    return "".join(chr(unit) if chr(unit).isascii() and chr(unit).isalnum() else f"\\u{unit:04x}" for unit in numbers)


def _signal(send: Any) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
