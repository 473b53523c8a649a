"""Plans of downloads, kept for some seconds: the page asks for the size first, then the zip, and a cut one is resumed.

A plan holds no rights of a caller: what they may have is weighed for each request, and what was left out for them is
part of the question. Goes in: a question as a key, and how to plan it. Comes out: the plan; who asks while it is made
waits for it and makes none of their own. A kept plan may be older than the newest load by as long as it is kept; where
a pack was replaced meanwhile, the download ends rather than mix the two (CATALOG_CHANGED), and the plan is forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final

from cachetools import TTLCache

from serving.downloads.plan import Plan

SPOOL_BYTES_MAX: Final = 512 * 1024 * 1024  # of all kept plans in temporary files: about a million packs
_MAKING_LOCKS: Final = 64  # two questions that share one wait for each other, and nothing worse


class PlanCache:
    """The plans that one process keeps."""

    def __init__(self, seconds: float) -> None:
        self._kept: TTLCache[Hashable, Plan] = TTLCache(SPOOL_BYTES_MAX, seconds, getsizeof=_size)
        self._keeps = seconds > 0
        self._lock = threading.Lock()
        self._making = tuple(threading.Lock() for _ in range(_MAKING_LOCKS))

    def plan(self, question: Hashable, make: Callable[[], Plan]) -> Plan:
        """The kept plan of a question, or a new one. It lasts for as long as somebody holds it."""
        if not self._keeps:
            return make()
        found = self._find(question)
        if found is not None:
            return found
        with self._making[hash(question) % _MAKING_LOCKS]:
            found = self._find(question)
            if found is None:
                found = make()
                self._keep(question, found)
        return found

    def forget(self, plan: Plan) -> None:
        """Answer no more questions with `plan`, which is not true any more; who reads it may go on."""
        with self._lock:
            for question in [question for question, kept in self._kept.items() if kept is plan]:
                del self._kept[question]

    def _find(self, question: Hashable) -> Plan | None:
        with self._lock:
            return self._kept.get(question)

    def _keep(self, question: Hashable, plan: Plan) -> None:
        with self._lock:
            if _size(plan) <= SPOOL_BYTES_MAX:
                self._kept[question] = plan


def _size(plan: Plan) -> int:
    return max(plan.total.record, 1)
