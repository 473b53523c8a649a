"""JSON logs, one object a line on stderr, with the id of the request they belong to; gunicorn's own lines too.

What a visitor sent never reaches a line: gunicorn would quote a malformed header or an address with its query, which
may hold a token or a name, so its sentences about requests are replaced by an event.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any, Final

import structlog
from gunicorn.glogging import Logger

_KINDS_KEPT: Final = 1_024
_LINES_WAIT_S: Final = 0.1
_QUOTING: Final = {"Invalid request": "request_malformed", "Error handling request": "request_failed_in_server"}


def configure(level: int = logging.INFO) -> None:
    """Send structlog's events and the standard library's records to stderr as JSON, times in UTC.

    Events go there straight: a line a request by way of the standard library would cost more than counting it.
    """
    request_lines.lowest, request_lines.stream = level, sys.stderr.buffer
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_as_bytes)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    threading.excepthook = _thread_ended


class RequestLines:
    """The one line that every request leaves, of the same form as any event and made for a tenth of its price.

    A worker lets a thread write them, all of the last moments at once: to write each where it is made would hand the
    interpreter to others in the middle of a request. A process that is killed may owe the lines of these moments.
    """

    def __init__(self) -> None:
        self.lowest = logging.INFO
        self.stream: IO[bytes] | None = None
        """None: wherever stderr leads at the time."""
        self._waiting: deque[bytes] = deque()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, *, slow: bool, method: str, route: str | None, status: int, ms: float, request_id: str) -> None:
        """Tell of one answer; `request_id` is of characters that JSON takes as they are."""
        if self.lowest > (logging.WARNING if slow else logging.INFO):
            return
        now = datetime.now(UTC).isoformat()[: -len("+00:00")]
        kind = _kind(slow, method, route, status)
        line = f'{kind}"ms": {ms:.1f}, "request_id": "{request_id}", "timestamp": "{now}Z"}}\n'
        self._waiting.append(line.encode("ascii"))
        if self._thread is None:
            self.flush()

    def start(self) -> None:
        """Let a thread write from now on; after a fork, once a process."""
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="request-lines", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and from now on each line at once."""
        thread, self._thread = self._thread, None
        self._ended.set()
        if thread is not None:
            thread.join()
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        lines = []
        with suppress(IndexError):  # others may write meanwhile, or take what is there
            while True:
                lines.append(self._waiting.popleft())
        if lines:
            stream = self.stream or sys.stderr.buffer
            stream.write(b"".join(lines))
            stream.flush()

    def _run(self) -> None:
        while not self._ended.wait(_LINES_WAIT_S):
            self.flush()


request_lines: Final = RequestLines()


@lru_cache(_KINDS_KEPT)
def _kind(slow: bool, method: str, route: str | None, status: int) -> str:
    """What lines of one kind begin with."""
    same = {
        "event": "slow_request" if slow else "request",
        "level": "warning" if slow else "info",
        "logger": "serving.access",
        "method": method,
        "route": route,
        "status": status,
    }
    return json.dumps(same)[:-1] + ", "


def _as_bytes(event: object, **options: Any) -> bytes:
    return json.dumps(event, **options).encode("ascii")


def _thread_ended(told: threading.ExceptHookArgs) -> None:
    """What ended a thread of our own, as a line like any other."""
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        structlog.get_logger(__name__).error("thread_ended", error=told.exc_type.__name__, exc_info=told.exc_value)


class ServerLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger, writing where and as the application does."""

    def setup(self, cfg: Any) -> None:
        """Called at start and at every reload."""
        super().setup(cfg)
        configure(self.loglevel)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        if without_request not in self.error_log.filters:
            self.error_log.addFilter(without_request)


def without_request(record: logging.LogRecord) -> bool:
    """Take out of a record what gunicorn quotes of a request."""
    for sentence, event in _QUOTING.items():
        if str(record.msg).startswith(sentence):
            record.msg, record.args = event, ()
    return True
