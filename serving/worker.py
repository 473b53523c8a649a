"""gunicorn's threaded worker, made patient: a client who dawdles holds a socket, never a thread.

Why: gthread gives a connection to a thread as soon as it is accepted. A client who then sends half a head holds that
thread for as long as he likes, and one who does not hang up after his last answer holds the loop that accepts all
others for two seconds; a few hundred of either close the door for everybody. Here a request gets a thread when its head
has arrived whole, and its body where that is small; a larger body has to keep a minimum rate, an answer has to be
taken, goodbyes are said by the poller, and those who watch the service have a lane of their own.

The head is looked at with MSG_PEEK and left in the socket, so that gunicorn's own parser reads and judges all of it.
Goes in: gunicorn's configuration, plain HTTP (TLS belongs to the proxy in front). A client who is too slow is
disconnected and told nothing.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_TIMEOUT_S: Final = 10.0
HEAD_BYTES_MAX: Final = 32 * 1024
SMALL_BODY_BYTES: Final = 16 * 1024  # waited for like a head: a sign-in, a form
IO_TIMEOUT_S: Final = 60.0  # for the next bytes of a body, or for one chunk of an answer to be taken
BODY_GRACE_S: Final = 10.0
BODY_BYTES_PER_S_MIN: Final = 32 * 1024
GOODBYE_TIMEOUT_S: Final = 2.0
GOODBYE_BYTES_MAX: Final = 4 * 1024 * 1024  # read and dropped, so that whoever still sends reads his answer
WATCHED: Final = (b"GET /healthz", b"GET /readyz", b"GET /metrics", b"HEAD /healthz", b"HEAD /readyz")
WATCH_THREADS: Final = 2
_END_OF_HEAD: Final = b"\r\n\r\n"
_BODY_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,6})[ \t]*\r\n", re.IGNORECASE)
_EXPECT: Final = re.compile(rb"\r\nexpect:", re.IGNORECASE)
_LENGTH_DIGITS_MAX: Final = 18


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """One process of the front door."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.leaving: deque[TConn] = deque()
        self.bodies: deque[tuple[float, TConn]] = deque()

    def init_process(self) -> None:
        """Runs after the fork, and returns when the worker ends."""
        self.watch_pool = ThreadPoolExecutor(WATCH_THREADS)
        super().init_process()

    def enqueue_req(self, conn: TConn) -> None:
        """Every way to a thread leads through here: let those pass who have sent a whole head, and park the others."""
        head = arrived_head(conn)
        if head is None:
            self._park(conn)
        else:
            self._hand_over(conn, head)

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """More of a head has arrived, or its end; its time runs on until it is whole."""
        head = arrived_head(conn)
        if head is not None:
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._hand_over(conn, head)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer in a thread, with a time for each read and write, and one for the body as a whole."""
        conn.sock.settimeout(IO_TIMEOUT_S)
        length = _body_bytes(req)
        entry = (time.monotonic() + BODY_GRACE_S + length / BODY_BYTES_PER_S_MIN, conn)
        if length:
            self.bodies.append(entry)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            self.log.debug("a client was too slow")
            return False
        finally:
            if length:
                self.bodies.remove(entry)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep the connection, or say goodbye without waiting for its other end."""
        if fs.cancelled() or fs.exception() is not None or fs.result() is not False:
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            conn.timeout, conn.dropped_bytes = time.monotonic() + GOODBYE_TIMEOUT_S, 0
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_goodbye, conn))
            self.leaving.append(conn)
        except (OSError, ValueError):
            self._gone(conn)

    def murder_pending(self) -> None:
        """Disconnect those whose time is over; called after every event, at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        while self.leaving and self.leaving[0].timeout <= now:
            self._leave(self.leaving[0])
        for deadline, conn in tuple(self.bodies):
            if deadline <= now:
                _stop_reading(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """A stopping worker waits no longer for heads than for the next request of a kept connection."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _hand_over(self, conn: TConn, head: bytes) -> None:
        conn.data_ready = True  # nothing to wait for in the thread
        pool = self.watch_pool if head.startswith(WATCHED) else self.tpool
        pool.submit(self.handle, conn).add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def _park(self, conn: TConn) -> None:
        if self.nr_conns >= self.worker_connections and self.pending_conns:
            self.pending_conns[0].timeout = 0.0  # the oldest makes room, `murder_pending` sees to it
        conn.timeout = time.monotonic() + HEAD_TIMEOUT_S
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _on_goodbye(self, conn: TConn, _client: socket.socket) -> None:
        try:
            dropped = len(conn.sock.recv(256 * 1024))
        except BlockingIOError:
            return
        except OSError:
            dropped = 0
        conn.dropped_bytes += dropped
        if not dropped or conn.dropped_bytes > GOODBYE_BYTES_MAX:
            self._leave(conn)

    def _leave(self, conn: TConn) -> None:
        self.leaving.remove(conn)
        self.poller.unregister(conn.sock)
        self._gone(conn)

    def _gone(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


def arrived_head(conn: TConn) -> bytes | None:
    """The first bytes of a request that is there, but for a large body, or will never be; None while it is on its way.

    The socket then wakes the poller only when there is more than what was seen (SO_RCVLOWAT): looking takes nothing out
    of it, so it would call again and again otherwise.
    """
    conn.sock.setblocking(False)
    read_ahead: bytes = conn.parser.unreader.buf.getvalue() if conn.parser is not None else b""
    try:
        seen: bytes = conn.sock.recv(HEAD_BYTES_MAX, socket.MSG_PEEK)
        ended = not seen
    except BlockingIOError:
        seen, ended = b"", False
    except OSError:
        seen, ended = b"", True
    head = (read_ahead + seen).removeprefix(b"\r\n")
    # Woken for more and there is no more: the client has hung up in the middle.
    ended = ended or len(seen) < getattr(conn, "wanted_bytes", 0) or len(head) >= HEAD_BYTES_MAX
    end = head.find(_END_OF_HEAD)
    whole = end >= 0 and len(head) >= min(end + len(_END_OF_HEAD) + _small_body(head, end), HEAD_BYTES_MAX)
    if ended and not whole:
        _stop_reading(conn)  # so that no thread waits for the rest; the parser says what is wrong with the head
    conn.wanted_bytes = 0 if whole or ended else len(seen) + 1
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, max(1, conn.wanted_bytes))
    return head if whole or ended else None


def _small_body(head: bytes, end: int) -> int:
    """Length of the body if it is to be waited for, otherwise 0."""
    if head.startswith((b"GET ", b"HEAD ")):
        return 0
    told = _BODY_LENGTH.search(head, 0, end + 2)
    # A client that expects to be asked for its body sends none before.
    if told is None or int(told[1]) > SMALL_BODY_BYTES or _EXPECT.search(head, 0, end):
        return 0
    return int(told[1])


def _stop_reading(conn: TConn) -> None:
    """Whoever reads from this connection, in whichever thread, finds its end."""
    try:
        conn.sock.shutdown(socket.SHUT_RD)
    except OSError:
        return


def _body_bytes(req: Any) -> int:
    """What a request says about the length of its body; 0 where it says nothing that can be used."""
    told = next((value for name, value in req.headers if name == "CONTENT-LENGTH"), "")
    return int(told) if told.isdecimal() and len(told) <= _LENGTH_DIGITS_MAX else 0
