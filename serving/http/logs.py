"""JSON logs, one object a line on stderr, with the id of the request they belong to; gunicorn's own lines too.

What a visitor sent never reaches a line: gunicorn would quote a malformed header or an address with its query, which
may hold a token or a name, so its sentences about requests are replaced by an event.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, Final

import structlog
from gunicorn.glogging import Logger

_QUOTING: Final = {"Invalid request": "request_malformed", "Error handling request": "request_failed_in_server"}


def configure(level: int = logging.INFO) -> None:
    """Send structlog's events and the standard library's records to stderr as JSON, times in UTC."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
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
    threading.excepthook = _log_ended_thread


def _log_ended_thread(ended: threading.ExceptHookArgs) -> None:
    """Log the exception that ended a thread, as JSON like any other line."""
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        structlog.get_logger(__name__).error("thread_ended", error=ended.exc_type.__name__, exc_info=ended.exc_value)


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
