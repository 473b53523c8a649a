"""Whether the parts that requests need answer now; each check runs in a thread of its own, at most one at a time.

A part that hangs does not hold a thread that answers requests, and a crowd at /readyz is no crowd at the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Final, Literal

import structlog

from braingranary.errors import GranaryError

Check = Callable[[float], None]
"""Takes its seconds, and raises unless the part works."""
State = Literal["ok", "degraded", "failing"]
FRESH_S: Final = 0.5  # an answer this young is given again

_log = structlog.get_logger(__name__)


class Readiness:
    """The parts of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checks: dict[str, Check] = {}
        self._with_fallback: set[str] = set()
        self._running: dict[str, tuple[float, Future[bool]]] = {}

    def add(self, name: str, check: Check, *, fallback: bool = False) -> None:
        """Add a part; with a fallback it is `degraded` rather than `failing` when its check raises."""
        self._checks[name] = check
        if fallback:
            self._with_fallback.add(name)

    def ask(self, timeout_s: float) -> dict[str, State]:
        """The state of each part; one that does not answer in `timeout_s` does not work. Why stands in the log."""
        deadline = time.monotonic() + timeout_s
        answers = {name: self._answer(name, timeout_s) for name in self._checks}
        return {name: self._state(name, answer, deadline) for name, answer in answers.items()}

    def _answer(self, name: str, timeout_s: float) -> Future[bool]:
        """The answer of a part that is fresh or on its way, or else a new one."""
        with self._lock:
            known = self._running.get(name)
            if known and (not known[1].done() or time.monotonic() - known[0] < FRESH_S):
                return known[1]
            answer: Future[bool] = Future()
            self._running[name] = (time.monotonic(), answer)
        # A daemon: one that hangs in its part must not keep a worker from ending.
        threading.Thread(target=_run, args=(name, self._checks[name], timeout_s, answer), daemon=True).start()
        return answer

    def _state(self, name: str, answer: Future[bool], deadline: float) -> State:
        try:
            works = answer.result(max(0.0, deadline - time.monotonic()))
        except FutureTimeout:
            _log.warning("part_silent", part=name)
            works = False
        if works:
            return "ok"
        return "degraded" if name in self._with_fallback else "failing"


def _run(name: str, check: Check, timeout_s: float, answer: Future[bool]) -> None:
    works = False
    try:
        check(timeout_s)
        works = True
    except GranaryError as error:
        _log.warning("part_failing", part=name, code=error.code)
    except Exception as error:  # noqa: BLE001 - whatever it is, the part does not work
        _log.warning("part_failing", part=name, error=type(error).__name__)
    answer.set_result(works)
