"""Reloading and replacing a running front door: clients who never stop asking, and one long download, lose nothing."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.bare import LONG_BYTES
from tests.serving.front_door_process import FrontDoorProcess, front_door_process

CLIENTS = 3  # of each kind


@dataclass
class Asked:
    """What the clients saw."""

    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def asking(address: str) -> Iterator[Asked]:
    """Clients that ask one request after the other, some on kept connections, some on a new one each time."""
    asked, stop = Asked(), threading.Event()

    def ask(kept: bool) -> None:
        client = httpx.Client(base_url=address, timeout=PATIENCE_S, trust_env=False)
        headers = {} if kept else {"Connection": "close"}
        while not stop.is_set():
            try:
                asked.answers.append(client.get("/version", headers=headers).raise_for_status().text)
            except httpx.HTTPError as error:
                asked.failures.append(repr(error))
            time.sleep(0.02)
        client.close()

    threads = [threading.Thread(target=ask, args=(kept,)) for kept in (True, False) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def downloading(address: str) -> Iterator[list[int]]:
    """A download of three seconds that has begun; the bytes that arrived, afterwards."""
    got: list[int] = []
    begun = threading.Event()

    def download() -> None:
        with httpx.stream("GET", f"{address}/long", timeout=PATIENCE_S, trust_env=False) as answer:
            begun.set()
            got.append(sum(map(len, answer.iter_raw())))

    thread = threading.Thread(target=download)
    thread.start()
    assert begun.wait(PATIENCE_S)
    yield got
    thread.join()


def pids(running: FrontDoorProcess) -> set[int]:
    return {worker.pid for worker in running.workers()}


def test_hup_replaces_every_worker_and_drops_no_request(tmp_path: Path) -> None:
    with (
        front_door_process(None, tmp_path / "log", application="tests.serving.bare:app") as running,
        asking(running.address) as asked,
        downloading(running.address) as downloaded,
    ):
        until(lambda: len(pids(running)) == 2, "not all workers start")
        before = pids(running)
        running.server.send_signal(signal.SIGHUP)
        until(lambda: len(pids(running)) == 2 and not pids(running) & before, "the old workers stay")
    assert downloaded == [LONG_BYTES]
    assert asked.failures == []
    assert len(asked.answers) > 10 * CLIENTS


def test_usr2_then_term_replaces_the_code_and_drops_no_request(tmp_path: Path) -> None:
    version, pidfile = tmp_path / "version", tmp_path / "pid"
    version.write_text("old")
    with front_door_process(
        None,
        tmp_path / "log",
        settings={"BARE_VERSION": str(version)},
        options=["--pid", str(pidfile)],
        application="tests.serving.bare:app",
    ) as running:
        successor: psutil.Process | None = None
        try:
            with asking(running.address) as asked, downloading(running.address) as downloaded:
                version.write_text("new")
                running.server.send_signal(signal.SIGUSR2)
                new_pid = Path(f"{pidfile}.2")
                until(new_pid.exists, "no successor")
                successor = psutil.Process(int(new_pid.read_text()))
                until(lambda: "new" in asked.answers, "the successor does not answer")
                running.server.terminate()
                running.server.wait(PATIENCE_S)
                seen = len(asked.answers)
                until(lambda: len(asked.answers) > seen + 20, "nobody answers")
        finally:
            if successor is not None:
                successor.terminate()
                successor.wait(PATIENCE_S)
    assert downloaded == [LONG_BYTES]
    assert asked.failures == []
    assert set(asked.answers[seen + CLIENTS :]) == {"new"}


def test_term_lets_a_download_finish_and_leaves_nothing(tmp_path: Path) -> None:
    with front_door_process(
        None, tmp_path / "log", application="tests.serving.bare:app", settings={"TMPDIR": str(tmp_path)}
    ) as running:
        family = running.workers()
        with downloading(running.address) as downloaded:
            assert list(tmp_path.glob("braingranary-serving-*"))
            running.server.terminate()
        assert running.server.wait(PATIENCE_S) == 0
    assert downloaded == [LONG_BYTES]
    assert not any(process.is_running() for process in family)
    assert not list(tmp_path.glob("braingranary-serving-*"))
