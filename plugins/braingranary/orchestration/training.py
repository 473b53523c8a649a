"""The detector's own command line as a task: training and its evaluation, in a process of their own.

A process of its own, because torch belongs to no scheduler and no parsing of a DAG, and because it can be ended with
the task. In: arguments of `python -m braingranary.detector`. Out: its lines in the task's log. Fails with RejectedInput
where the command refuses its data (status 1 with a code), ConfigurationError where it refuses its arguments, otherwise
with TransientFailure: what was trained so far stands as checkpoints, and the next try goes on from there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from airflow.sdk import BaseOperator

from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.settings import child_environment

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

MODULE: Final = "braingranary.detector"
FOREIGN_VARIABLES: Final = ("AIRFLOW", "_AIRFLOW", "GRANARY_")
"""Training needs none of Airflow's secrets and no store."""
END_GRACE_S: Final = 3.0
USAGE_STATUS: Final = 2  # how click ends on arguments that make no sense, a folder that is not there among them
_CODED: Final = re.compile(r"^\[([a-z_]+)\] (.*)")

_log = structlog.get_logger(__name__)


class DetectorOperator(BaseOperator):
    """Runs one command of the detector and ends with it; `prepared` holds the arguments by command."""

    template_fields: Sequence[str] = ("prepared",)
    ui_color: str = "#d5e8d4"

    def __init__(self, *, command: str, prepared: Mapping[str, Sequence[str]] | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.command = command
        self.prepared = prepared
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> None:  # noqa: ARG002  (Airflow's signature)
        """Run the command; its last coded line is the error when it refuses."""
        arguments = [str(argument) for argument in cast(Mapping[str, Sequence[str]], self.prepared)[self.command]]
        coded: re.Match[str] | None = None
        with subprocess.Popen(
            [sys.executable, "-m", MODULE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=child_environment({"PYTHONUNBUFFERED": "1"}, without=FOREIGN_VARIABLES),
        ) as self._process:
            for line in self._process.stdout or ():
                _log.info("detector", line=line.rstrip())
                coded = _CODED.match(line) or coded
        status = self._process.returncode
        if status == 0:
            return
        if status == USAGE_STATUS:
            raise ConfigurationError(Code.CONFIGURATION_INVALID, f"{MODULE} {self.command} refuses its arguments")
        if coded and coded[1] in set(Code):
            raise RejectedInput(Code(coded[1]), coded[2])
        raise TransientFailure(Code.INTERNAL, f"{MODULE} {self.command} ended with status {status}")

    def on_kill(self) -> None:
        """End the process together with the task."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
