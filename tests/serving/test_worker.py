"""Our worker against clients who dawdle: none of them holds a thread, and requests of the others are answered."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.serving.live import Door, door

THREADS = 4
DAWDLERS = 5 * THREADS
QUICK_S = 5.0  # a starved request waits for as long as the dawdlers please


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One worker with few threads around the bare application."""
    log = tmp_path_factory.mktemp("bare") / "gunicorn.log"
    options = ["--workers", "1", "--threads", str(THREADS)]
    with door(None, log, options=options, application="tests.serving.bare:app") as running:
        yield running


def connect(running: Door) -> socket.socket:
    host, port = running.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


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
    return httpx.get(f"{running.address}/healthz", timeout=QUICK_S, trust_env=False).text == "ok"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /version HTTP/1.1\r\nHost: a\r\nX-Slow: ",
        b"POST /body HTTP/1.1\r\nHost: a\r\ncontent-length: 5000\r\n\r\nabc",
        b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
    ids=["silent", "half a head", "half a small body", "never hangs up"],
)
def test_dawdlers_hold_no_thread_and_are_disconnected(bare: Door, sent: bytes) -> None:
    clients = dawdle(bare, sent)
    with httpx.Client(base_url=bare.address, timeout=QUICK_S, trust_env=False) as client:
        assert [client.get("/version").status_code for _ in range(5)] == [200] * 5
    for one in clients:
        assert answer_of(one).endswith(b"\r\n\r\n") == sent.endswith(b"\r\n\r\n")
        one.close()


def test_dribbled_head_is_answered_within_its_time_and_dropped_after_it(bare: Door) -> None:
    head = b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    quick, slow = connect(bare), connect(bare)
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


def test_small_body_is_waited_for_with_its_head(bare: Door) -> None:
    for head in (b"POST /body HTTP/1.1\r\nHost: a\r\n", b"POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"):
        with connect(bare) as client:
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


def test_slow_body_is_cut_and_the_thread_is_free_again(bare: Door) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 50000\r\n\r\nabc"
    slow = dawdle(bare, head, count=THREADS + 1)
    assert healthy(bare)  # in its own lane, while every thread reads
    with httpx.Client(base_url=bare.address, timeout=20, trust_env=False) as client:
        assert client.post("/body", content=b"x" * 3000).text == "3000"
    assert {answer_of(one)[-5:] for one in slow} == {b"\r\n\r\n3"}


def test_health_is_answered_while_every_thread_works(bare: Door) -> None:
    with ThreadPoolExecutor(2 * THREADS) as pool, httpx.Client(timeout=30, trust_env=False) as client:
        held = [pool.submit(client.get, f"{bare.address}/hold") for _ in range(2 * THREADS)]
        time.sleep(0.5)
        assert healthy(bare)
        assert not all(one.done() for one in held)
        assert {one.result().text for one in held} == {"held"}


def test_pipelined_requests_are_all_answered(bare: Door) -> None:
    with connect(bare) as client:
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
