"""Whether the parts that requests need answer now: each is asked side by side, for a short time, by one asker at most.

Why its own threads: a part that hangs must not hold the threads that answer requests, and a crowd at /readyz must not
become a crowd at the database. Goes in: parts by name, each a callable that takes its seconds and raises unless the
part works. Comes out: name -> whether it works. Nothing is raised; why a part fails stands in the log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillAsking
from typing import Final

import structlog

from braingranary.errors import GranaryError

Ask = Callable[[float], None]
FRESH_S: Final = 0.5  # an answer this young is given again

_log = structlog.get_logger(__name__)


class Readiness:
    """The parts of one process; a part is added as in a dict."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, Ask] = {}
        self._asked: dict[str, tuple[float, Future[bool]]] = {}

    def __setitem__(self, name: str, ask: Ask) -> None:
        self._parts[name] = ask

    def ask(self, timeout_s: float) -> dict[str, bool]:
        """Whether each part works; one that does not say so in `timeout_s` does not."""
        deadline = time.monotonic() + timeout_s
        asked = {name: self._answer(name, timeout_s) for name in self._parts}
        return {name: _in_time(name, answer, deadline) for name, answer in asked.items()}

    def _answer(self, name: str, timeout_s: float) -> Future[bool]:
        """The answer of a part that is fresh or on its way, or else a new one."""
        with self._lock:
            known = self._asked.get(name)
            if known and (not known[1].done() or time.monotonic() - known[0] < FRESH_S):
                return known[1]
            answer: Future[bool] = Future()
            self._asked[name] = (time.monotonic(), answer)
        # A daemon: one that hangs in its part must not keep a worker from ending.
        threading.Thread(target=_try, args=(name, self._parts[name], timeout_s, answer), daemon=True).start()
        return answer


def _in_time(name: str, answer: Future[bool], deadline: float) -> bool:
    try:
        return answer.result(max(0.0, deadline - time.monotonic()))
    except StillAsking:
        _log.warning("part_silent", part=name)
        return False


def _try(name: str, ask: Ask, timeout_s: float, answer: Future[bool]) -> None:
    works = False
    try:
        ask(timeout_s)
        works = True
    except GranaryError as error:
        _log.warning("part_failing", part=name, code=error.code)
    except Exception as error:  # noqa: BLE001 - whatever it is, the part does not work
        _log.warning("part_failing", part=name, error=type(error).__name__)
    answer.set_result(works)
