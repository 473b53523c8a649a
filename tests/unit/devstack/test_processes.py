"""Processes are started, found again and ended whole, whatever they do to hide."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from braingranary.devstack import processes
from braingranary.errors import ConfigurationError
from tests.fixtures.patience import PATIENCE_S

# A child in a session of its own, a grandchild that lost its parent, and all of them deaf to TERM.
_STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "child"], start_new_session=True)
elif sys.argv[1] == "child":
    subprocess.Popen([sys.executable, __file__, "orphan"], start_new_session=True)
    time.sleep(0.3)
    sys.exit()
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[processes.ProcessRecord]:
    program = tmp_path / "stubborn.py"
    program.write_text(_STUBBORN)
    record = processes.start(_command(tmp_path, sys.executable, str(program)))
    _wait(lambda: any(p.cmdline()[-1:] == ["orphan"] and p.ppid() != record.pid for p in processes.members(record)))
    yield record
    processes.stop(record)


def _command(folder: Path, *argv: str, bound: bool = False) -> processes.Command:
    return processes.Command(
        name="test",
        argv=argv,
        env={"PATH": os.environ["PATH"]},
        cwd=folder,
        log=folder / "log",
        owner=folder,
        stop_grace_s=0.3,
        bound=bound,
    )


def _wait(condition: object, timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    assert callable(condition)
    while True:
        with contextlib.suppress(psutil.Error):
            if condition():
                return
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.05)


def test_stop_ends_orphans_and_the_deaf(stubborn: processes.ProcessRecord) -> None:
    everyone = processes.members(stubborn)
    assert len(everyone) >= 2
    assert processes.stop(stubborn) >= 2
    assert not [process for process in everyone if process.is_running() and process.status() != "zombie"]
    assert processes.members(stubborn) == []


def test_stop_of_a_dead_leader_still_finds_its_orphans(stubborn: processes.ProcessRecord) -> None:
    os.kill(stubborn.pid, signal.SIGKILL)
    _wait(lambda: processes.leader(stubborn) is None)
    assert processes.members(stubborn)
    processes.stop(stubborn)
    assert processes.members(stubborn) == []


def test_stray_process_without_a_record_is_found_by_its_folder(
    stubborn: processes.ProcessRecord, tmp_path: Path
) -> None:
    found = processes.stray(tmp_path)
    assert {record.marker for record in found} == {stubborn.marker}
    assert processes.stray(tmp_path / "other") == []
    for record in found:
        processes.stop(record)
    assert processes.members(stubborn) == []


def test_record_of_a_reused_pid_is_nobody(tmp_path: Path) -> None:
    ours = psutil.Process()
    record = processes.ProcessRecord(
        name="old",
        pid=ours.pid,
        started_s=ours.create_time() - 3600,
        marker="m",
        stop_signal=15,
        stop_grace_s=1,
        log="",
        fingerprint="",
    )
    record.save(tmp_path)
    assert processes.load_records(tmp_path) == [record]
    assert processes.leader(record) is None


def test_wait_healthy_of_a_process_that_ends_names_its_log(tmp_path: Path) -> None:
    record = processes.start(_command(tmp_path, "/bin/sh", "-c", "echo trouble; exit 3"))
    with pytest.raises(ConfigurationError, match=str(tmp_path / "log")):
        processes.wait_healthy(record, lambda: False, timeout_s=PATIENCE_S)
    assert "trouble" in (tmp_path / "log").read_text()


def test_bound_process_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from braingranary.devstack import processes\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "record = processes.start(processes.Command(name='inner', argv=['/bin/sleep', '600'], env={},\n"
        "    cwd=folder, log=folder / 'inner', owner=folder, bound=True))\n"
        "record.save(folder)\n"
        "time.sleep(600)\n"
    )
    outer = processes.start(_command(tmp_path, sys.executable, "-c", program))
    _wait((tmp_path / "inner.json").exists)
    (inner,) = processes.load_records(tmp_path)
    assert processes.leader(inner) is not None
    os.kill(outer.pid, signal.SIGKILL)
    _wait(lambda: processes.leader(inner) is None)


def test_fingerprint_tells_another_environment(tmp_path: Path) -> None:
    command = _command(tmp_path, "/bin/true")
    assert dataclasses.replace(command, env={"A": "1"}).fingerprint != command.fingerprint
    assert dataclasses.replace(command).fingerprint == command.fingerprint


def test_free_ports_are_free_and_different() -> None:
    ports = processes.free_ports(50)
    assert len(set(ports)) == 50
    assert all(map(processes.port_is_free, ports))
