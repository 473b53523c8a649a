"""The detector's command line as a task: what its end means for Airflow, and that it ends with the task."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.orchestration import training
from braingranary.orchestration.steps import train
from braingranary.orchestration.training import DetectorOperator
from tests.fixtures.patience import PATIENCE_S


def operator(*arguments: str) -> DetectorOperator:
    return DetectorOperator(task_id="run", command="run", prepared={"run": list(arguments)})


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in the detector's place, so that no test pays for torch."""
    monkeypatch.setattr(training, "MODULE", "stand_in")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "stand_in.py"


@pytest.mark.parametrize(
    ("source", "error", "code"),
    [
        ("import sys; print('[training_data_confounded] source 0.99', file=sys.stderr); sys.exit(1)",
         RejectedInput, Code.TRAINING_DATA_CONFOUNDED),
        ("import sys; print('[no_code_of_ours] x'); sys.exit(1)", TransientFailure, Code.INTERNAL),
        ("import sys; sys.exit(2)", ConfigurationError, Code.CONFIGURATION_INVALID),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", TransientFailure, Code.INTERNAL),
    ],
    ids=["refused data", "unknown code", "wrong arguments", "killed"],
)  # fmt: skip
def test_execute_status_becomes_the_error_that_airflow_acts_on(
    source: str, error: type[Any], code: Code, stand_in: Path
) -> None:
    stand_in.write_text(source)
    with pytest.raises(error) as caught:
        operator("train").execute(cast(Any, {}))
    assert caught.value.code is code


def test_execute_passes_its_arguments_and_none_of_the_secrets(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GRANARY_S3", "secret")
    monkeypatch.setenv("GRANARY_S3_SECRET_KEY", "secret")
    told = stand_in.with_name("told")
    stand_in.write_text(f"import os, sys; open({str(told)!r}, 'w').write(repr((sys.argv[1:], sorted(os.environ))))")
    operator("train", "a b", "--version", "x; rm -rf /").execute(cast(Any, {}))
    assert "['train', 'a b', '--version', 'x; rm -rf /']" in told.read_text()
    assert "GRANARY" not in told.read_text()


def test_on_kill_ends_the_process_with_the_task(stand_in: Path) -> None:
    pid = stand_in.with_name("pid")
    stand_in.write_text(f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    task = operator("train")
    errors: list[BaseException] = []

    def run() -> None:
        try:
            task.execute(cast(Any, {}))
        except TransientFailure as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not (pid.is_file() and pid.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    task.on_kill()
    thread.join(PATIENCE_S)
    assert len(errors) == 1
    assert not psutil.pid_exists(int(pid.read_text()))


@pytest.mark.parametrize("asked", [False, True])
def test_form_reaches_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asked: bool) -> None:
    params = {"data": str(tmp_path), "version": "v-1", "work": str(tmp_path / "work"), "longer": 2, "new_site": asked}
    monkeypatch.setattr(train, "current_run", lambda: SimpleNamespace(params=params))
    prepared = train.prepare()
    assert ("--new-site" in prepared["evaluate"]) is asked
    for arguments in prepared.values():
        assert arguments[arguments.index("--longer") + 1] == "2"
