"""Our worker against clients who dawdle: none of them holds a thread, and requests of the others are answered."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.live import Door, door

THREADS = 4
DAWDLERS = 5 * THREADS
FOR_EVER_S = 4 * PATIENCE_S
DAWDLES = {
    "silent": b"",
    "half a head": b"GET /version HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "half a small body": b"POST /body HTTP/1.1\r\nHost: a\r\ncontent-length: 5000\r\n\r\nabc",
    "never hangs up": b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
}


@contextmanager
def few_threads(folder: Path, **settings: str) -> Iterator[Door]:
    """One worker with few threads around the bare application."""
    options = ["--workers", "1", "--threads", str(THREADS)]
    told = {"BARE_FOLDER": str(folder), **settings}
    log = folder / "gunicorn.log"
    with door(None, log, options=options, settings=told, application="tests.serving.bare:app") as running:
        yield running


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One that soon loses patience."""
    with few_threads(tmp_path_factory.mktemp("bare")) as running:
        yield running


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One that waits longer than any test does: who is starved there stays so."""
    with few_threads(tmp_path_factory.mktemp("patient"), BARE_PATIENCE_S=str(FOR_EVER_S)) as running:
        yield running


def connect(running: Door) -> socket.socket:
    host, port = running.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def dawdle(running: Door, sent: bytes, count: int = DAWDLERS) -> list[socket.socket]:
    clients = [connect(running) for _ in range(count)]
    for client in clients:
        client.sendall(sent)
    return clients


def answer_of(client: socket.socket) -> bytes:
    told = b""
    try:
        while more := client.recv(65536):
            told += more
    except ConnectionResetError:
        pass
    return told


def healthy(running: Door) -> bool:
    return httpx.get(f"{running.address}/healthz", timeout=PATIENCE_S, trust_env=False).text == "ok"


@pytest.mark.parametrize("sent", DAWDLES.values(), ids=DAWDLES)
def test_dawdlers_hold_no_thread(patient: Door, sent: bytes) -> None:
    clients = dawdle(patient, sent)
    with httpx.Client(base_url=patient.address, timeout=PATIENCE_S, trust_env=False) as client:
        assert [client.get("/version").status_code for _ in range(5)] == [200] * 5
    for one in clients:
        one.close()


@pytest.mark.parametrize("sent", DAWDLES.values(), ids=DAWDLES)
def test_dawdlers_are_disconnected(bare: Door, sent: bytes) -> None:
    for one in dawdle(bare, sent):
        assert answer_of(one).endswith(b"\r\n\r\n") == sent.endswith(b"\r\n\r\n")
        one.close()


def test_dribbled_head_is_answered_within_its_time_and_dropped_after_it(bare: Door, patient: Door) -> None:
    head = b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    quick, slow = connect(patient), connect(bare)
    for byte in head:
        quick.sendall(bytes([byte]))
        time.sleep(0.005)
    assert answer_of(quick).startswith(b"HTTP/1.1 200")
    told = b""
    try:
        for byte in head:
            slow.sendall(bytes([byte]))
            time.sleep(0.15)
    except OSError:
        pass
    else:
        told = answer_of(slow)
    assert told == b""


def test_client_that_hangs_up_in_the_middle_of_a_head_costs_nothing(bare: Door) -> None:
    clients = dawdle(bare, b"GET /version HTTP/1.1\r\nHo")
    for client in clients:
        client.shutdown(socket.SHUT_WR)
    began = bare.workers()[0].cpu_times().user
    assert [answer_of(client) for client in clients] == [b""] * DAWDLERS
    assert bare.workers()[0].cpu_times().user - began < 1.0  # no spinning on sockets that stay readable
    assert healthy(bare)


def test_small_body_is_waited_for_with_its_head(patient: Door) -> None:
    for head in (b"POST /body HTTP/1.1\r\nHost: a\r\n", b"POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"):
        with connect(patient) as client:
            client.sendall(head + b"Connection: close\r\nContent-Length: 6\r\n\r\n")
            time.sleep(0.2)
            client.sendall(b"abc")
            time.sleep(0.2)
            client.sendall(b"def")
            assert answer_of(client).endswith(b"\r\n\r\n6")


def test_endless_head_is_refused(bare: Door) -> None:
    with connect(bare) as client:
        client.sendall(b"GET /version HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 40_000)
        assert b" 200 " not in answer_of(client)[:20]


SLOW_BODY = b"POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 50000\r\n\r\nabc"


def test_slow_body_is_cut_and_the_thread_is_free_again(bare: Door) -> None:
    slow = dawdle(bare, SLOW_BODY, count=THREADS + 1)
    with httpx.Client(base_url=bare.address, timeout=PATIENCE_S, trust_env=False) as client:
        assert client.post("/body", content=b"x" * 3000).text == "3000"
    assert {answer_of(one)[-5:] for one in slow} == {b"\r\n\r\n3"}


def test_health_is_answered_while_every_thread_reads(patient: Door) -> None:
    slow = dawdle(patient, SLOW_BODY, count=THREADS + 1)
    assert healthy(patient)  # in its own lane
    for one in slow:
        one.close()


def test_health_is_answered_while_every_thread_works(tmp_path: Path) -> None:
    with (
        few_threads(tmp_path) as running,
        ThreadPoolExecutor(2 * THREADS) as pool,
        httpx.Client(timeout=PATIENCE_S, trust_env=False) as client,
    ):
        held = [pool.submit(client.get, f"{running.address}/hold") for _ in range(2 * THREADS)]
        try:
            until(lambda: len(list(tmp_path.glob("held-*"))) == THREADS, "not every thread holds")
            assert healthy(running)
            assert not any(one.done() for one in held)
        finally:
            (tmp_path / "release").touch()
        assert {one.result().text for one in held} == {"held"}


def test_pipelined_requests_are_all_answered(patient: Door) -> None:
    with connect(patient) as client:
        one = b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"
        client.sendall(one * 3 + one[:10])
        time.sleep(0.3)
        client.sendall(one[10:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answer_of(client).count(b"HTTP/1.1 200 OK") == 4


def test_malformed_requests_leave_json_in_the_log_and_nothing_of_theirs(bare: Door) -> None:
    for sent in (
        b"GET /?name=DOE^JANE HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nauth token DOE^JANE\r\n\r\n",
        b"\x00\r\n\r\n",
    ):
        with connect(bare) as client:
            client.sendall(sent)
            assert answer_of(client).startswith(b"HTTP/1.1 400")
    lines = bare.log.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines].count("request_malformed") >= 3
    assert "JANE" not in bare.log.read_text()
