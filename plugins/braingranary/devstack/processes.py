"""Long-running processes of the embedded stack: start in an own session, wait for health, end without leaving one.

Why: Airflow ignores SIGINT in the background and leaves children behind a plain SIGTERM, Spark starts a JVM of its own,
and a pid alone may belong to somebody else after a crash. So every process is started as the leader of a new session,
is written down as pid *and* start time, carries a marker in its environment that all its descendants inherit, and is
ended together with everything that is a descendant, is in its session or has the marker.

In: a `Command` and a folder for records. Out: `ProcessRecord`s and logs. Fails with ConfigurationError when a process
dies or stays silent while it is waited for; the message names its log.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from braingranary.errors import Code, ConfigurationError

MARKER: Final = "BRAINGRANARY_PROCESS"  # names one started process; inherited by all its descendants
OWNER: Final = "BRAINGRANARY_STATE"  # names the state folder it was started for
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_POLL_S: Final = 0.1
_KILL_PATIENCE_S: Final = 30.0
_PORTS: Final = range(15_000, 32_000)  # a remembered port from the range of clients might be taken at the next start
_CLOCK_TOLERANCE_S: Final = 1.0  # psutil derives the start time from the boot time, which NTP may move


@dataclass(frozen=True, kw_only=True)
class Identity:
    """An account by number: what a process runs as when root must not run it."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Command:
    """One process to start.

    `env` is its whole environment, `owner` the state folder it belongs to; `stop_grace_s` is what it gets to end by
    itself before it is killed; `bound` ends it with whoever started it.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    owner: Path
    identity: Identity | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_s: float = 15.0
    bound: bool = False

    @property
    def fingerprint(self) -> str:
        """A digest of what would run: another one means that a running process is not what is wanted now."""
        told = json.dumps([list(self.argv), sorted(self.env.items()), str(self.cwd)])
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ProcessRecord:
    """What is needed to find a started process again and to know that it is still the same one."""

    name: str
    pid: int
    started_s: float
    marker: str
    stop_signal: int
    stop_grace_s: float
    log: str
    fingerprint: str

    def save(self, folder: Path) -> None:
        """Write the record atomically as `<folder>/<name>.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{self.name}.{os.getpid()}"
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(folder / f"{self.name}.json")


def load_records(folder: Path) -> list[ProcessRecord]:
    """All records of a folder, the latest start first; a file that cannot be read is no record."""
    records = []
    for path in folder.glob("[!.]*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            records.append(ProcessRecord(**json.loads(path.read_text())))
    return sorted(records, key=lambda record: record.started_s, reverse=True)


def start(command: Command) -> ProcessRecord:
    """Start `command` in a session of its own, its output appended to its log; returns at once."""
    marker = f"{command.name}-{os.getpid()}-{time.time_ns()}"
    command.log.parent.mkdir(parents=True, exist_ok=True)
    identity = command.identity
    with command.log.open("ab") as log:
        process = subprocess.Popen(
            list(command.argv),
            env={**command.env, MARKER: marker, OWNER: str(command.owner)},
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=[] if identity else None,
            preexec_fn=_die_with_parent if command.bound else None,  # noqa: PLW1509 - only prctl runs in it
        )
    try:
        started_s = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        started_s = time.time()
    _children.append(process)
    return ProcessRecord(
        name=command.name,
        pid=process.pid,
        started_s=started_s,
        marker=marker,
        stop_signal=int(command.stop_signal),
        stop_grace_s=command.stop_grace_s,
        log=str(command.log),
        fingerprint=command.fingerprint,
    )


_children: list[subprocess.Popen[bytes]] = []  # kept so that a child that ended is reaped and not seen as a zombie


def leader(record: ProcessRecord) -> psutil.Process | None:
    """The recorded process itself when it still runs; None when it ended or its pid is somebody else's now."""
    for child in _children:
        child.poll()
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.started_s) < _CLOCK_TOLERANCE_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def members(record: ProcessRecord) -> list[psutil.Process]:
    """Every living process that belongs to the record: the leader, its descendants, its session, its marker."""
    head = leader(record)
    found: dict[int, psutil.Process] = {}
    if head is not None:
        found[head.pid] = head
        with contextlib.suppress(psutil.NoSuchProcess):
            found.update({child.pid: child for child in head.children(recursive=True)})
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            # The kernel gives a pid to nobody else while it still names a session, so the number alone is enough for
            # processes that started after the leader.
            in_session = os.getsid(process.pid) == record.pid and process.create_time() >= record.started_s - 1
            if in_session or process.environ().get(MARKER) == record.marker:
                found[process.pid] = process
    return [process for process in found.values() if _alive(process)]


def wait_healthy(record: ProcessRecord, probe: Callable[[], bool], *, timeout_s: float) -> None:
    """Return when `probe` is true; ConfigurationError when the process ends first or time is over.

    One that ends is noticed at once, so `timeout_s` is only for one that hangs: many times what a slow machine needs.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(OSError):
            if probe():
                return
        if leader(record) is None:
            raise ConfigurationError(Code.INTERNAL, f"{record.name} ended while starting; see {record.log}")
        if time.monotonic() > deadline:
            raise ConfigurationError(Code.INTERNAL, f"{record.name} not ready in {timeout_s:.0f} s; see {record.log}")
        time.sleep(_POLL_S)


def stop(record: ProcessRecord) -> int:
    """End every member: a signal of its own to the leader, or TERM to all; then KILL; returns how many there were."""
    ended: set[int] = set()
    own_signal = signal.Signals(record.stop_signal)
    steps = [
        (signal.SIGTERM, record.stop_grace_s),
        (signal.SIGKILL, _KILL_PATIENCE_S),
        (signal.SIGKILL, _KILL_PATIENCE_S),
    ]
    everyone = members(record)
    head = leader(record)
    if own_signal is not signal.SIGTERM and head is not None:
        ended.update(process.pid for process in everyone)
        _send([head], own_signal)
        _gone(everyone, record.stop_grace_s)
    for signal_number, patience_s in steps:
        # What has lost its parent meanwhile is still known from before; what was born meanwhile is found again.
        everyone = list({p.pid: p for p in [*everyone, *members(record)] if _alive(p)}.values())
        if not everyone:
            break
        ended.update(process.pid for process in everyone)
        _send(everyone, signal_number)
        _gone(everyone, patience_s)
    left = [process.pid for process in everyone if _alive(process)]
    if left:
        raise ConfigurationError(Code.INTERNAL, f"{record.name}: processes {left} cannot be ended")
    return len(ended)


def stray(owner: Path) -> list[ProcessRecord]:
    """Records of processes started for a state folder that nobody wrote down, because the command was killed then."""
    found: dict[str, ProcessRecord] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            if environment.get(OWNER) == str(owner) and (marker := environment.get(MARKER)):
                name = marker.partition("-")[0]
                found[marker] = ProcessRecord(
                    name=name, pid=os.getsid(process.pid), started_s=0.0, marker=marker,
                    stop_signal=int(signal.SIGTERM), stop_grace_s=5.0, log="", fingerprint="",
                )  # fmt: skip
    return list(found.values())


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody listens on now, below those that the system gives to clients."""
    candidates = random.sample(_PORTS, k=len(_PORTS))
    return list(itertools.islice(filter(port_is_free, candidates), count))


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(processes: Iterable[psutil.Process], signal_number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)


def _gone(processes: Iterable[psutil.Process], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    left = list(processes)
    while left and time.monotonic() < deadline:
        for child in _children:
            child.poll()
        left = [process for process in left if _alive(process)]
        time.sleep(_POLL_S / 2)


_prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before any fork


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
