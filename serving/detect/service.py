"""Detections in a bounded pool of processes: a decoder that crashes, hangs or eats memory takes none of us along.

Why processes and not the threads that are there: an upload is hostile and runs through C decoders. In a process of its
own the worst upload costs one detection; torch and its memory stay out of the processes that serve; and its Python
parts do not hold up other requests by the interpreter's lock. Handing an upload over costs about a millisecond.
docs/decisions/0011-detection-in-processes.md has the figures.

Which model answers is asked every few seconds; another one is loaded beside the one that answers and takes over when
it is ready, so that activating a model drops no request.

Goes in: settings, and where weights come from. Comes out: answers. Fails at once with TransientFailure(SERVER_BUSY)
when all places are taken, with TransientFailure(MODEL_UNAVAILABLE) while no model is loaded, and as `worker_pool` does.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
from flask import current_app

from braingranary.detector.contracts.detection import Answer
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.settings import ServingSettings
from serving.detect.weights import Weights, WeightsSource
from serving.detect.worker_pool import WorkerPool
from serving.http import metrics
from serving.http.concurrency import ConcurrencyLimit

LOAD_S: Final = 300.0
"""How long another model may take to be loaded beside the one that answers."""
_log = structlog.get_logger(__name__)


class Detection:
    """The detecting processes of one process of the front door."""

    def __init__(self, settings: ServingSettings, source: WeightsSource | None = None) -> None:
        self._settings = settings
        self._source = source or WeightsSource(settings.detect_weights)
        self._places = ConcurrencyLimit(settings.detect_processes + settings.detect_waiting_max)
        self._lock = threading.Lock()
        self._pool: WorkerPool | None = None
        self._coming: WorkerPool | None = None
        self._closed = threading.Event()
        self._follower: threading.Thread | None = None
        self._counting = threading.Condition()
        self._of_account: Counter[int] = Counter()
        self._running: Counter[int] = Counter()
        # One process is always left for other accounts, whose detections would otherwise wait for as long as uploads of
        # one account take: seconds, where they are large or made to be slow.
        self._running_max = max(1, settings.detect_processes - 1)

    @property
    def enabled(self) -> bool:
        """Whether this front door detects at all."""
        return self._settings.detect_processes > 0

    @property
    def model(self) -> str | None:
        """Version of the model that answers now; None while none is being loaded."""
        pool = self._pool
        return None if pool is None else pool.weights.version

    def open(self) -> None:
        """Start the processes without waiting for them; only after the fork, more than once is fine."""
        if self.enabled and self._pool is None:
            threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        with suppress(TransientFailure):  # it has been logged, and is tried again by whoever asks next
            self._opened()

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._closed.set()
        with self._lock:
            for pool in filter(None, (self._pool, self._coming)):
                pool.end()
            self._pool = None
        if self._follower is not None:
            self._follower.join()

    def ask(self, timeout_s: float) -> None:
        """Raise TransientFailure(MODEL_UNAVAILABLE) unless a model is loaded by now; for /readyz."""
        self._opened().await_model(timeout_s)

    @contextmanager
    def place(self, account_id: int) -> Iterator[None]:
        """A place of this account among those who detect or wait, taken before the body is read.

        Raises:
            TransientFailure: SERVER_BUSY where all places are taken, MODEL_UNAVAILABLE where nothing is detected.
            RejectedInput: RATE_LIMITED where the account holds its share already.
        """
        if not self.enabled:
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "this front door does not detect")
        # First the share of the account: what is refused for it must not hold a place, not even for a moment, because a
        # crowd of such requests would take all places from others.
        self._count(account_id, 1)
        try:
            with self._places.hold():
                yield
        finally:
            self._count(account_id, -1)

    def detect(self, data: bytes, account_id: int, *, overlay: bool = False) -> Answer:
        """One detection, inside a `place` of the account; counted by how it ends.

        Raises:
            RejectedInput, TransientFailure: as `worker_pool` says; SERVER_BUSY also where the turn of the account does
                not come.
        """
        start, outcome = time.monotonic(), "failed"
        try:
            with self._turn(account_id):
                answer = self._detect(data, overlay)
            outcome = "tumor" if answer.result == "Tumor" else "no_tumor"
        except RejectedInput as error:
            outcome = "declined" if error.code is Code.NOT_BRAIN_MR else "refused"
            raise
        finally:
            metrics.DETECTION_SECONDS.labels(outcome).observe(time.monotonic() - start)
        return answer

    def _detect(self, data: bytes, overlay: bool) -> Answer:
        self._opened().await_model(self._settings.detect_timeout_s)
        with self._lock:  # a pool that is replaced meanwhile still answers what it was handed before
            pool = self._pool
            if pool is None:
                raise TransientFailure(Code.MODEL_UNAVAILABLE, "the front door is being closed")
            future = pool.submit(data, overlay=overlay)
        return pool.result(future)

    def _opened(self) -> WorkerPool:
        """The processes, started where there are none, and anew where they were lost."""
        with self._lock:
            if self._closed.is_set():
                raise TransientFailure(Code.MODEL_UNAVAILABLE, "the front door is being closed")
            before = self._pool
            if before is not None and before.works:
                return before
            if before is not None:
                self._pool = None
                before.end()
            pool = self._pool = WorkerPool(self._settings, before.weights if before else self._wanted(None))
            if self._source.may_change and self._follower is None:
                self._follower = threading.Thread(target=self._follow, daemon=True)
                self._follower.start()
            return pool

    def _wanted(self, loaded: Weights | None) -> Weights:
        try:
            return self._source.wanted(loaded)
        except RejectedInput as error:
            _log.error("model_not_loaded", code=error.code, detail=error.message)
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "there is no model") from None

    def _follow(self) -> None:
        """Let the wanted model take over, until the front door is closed."""
        while not self._closed.wait(self._settings.detect_model_check_s):
            with suppress(TransientFailure):
                self._look()

    def _look(self) -> None:
        pool = self._pool
        if pool is None:
            return
        if refused := pool.has_refused:
            self._source.refuse(pool.weights)
        wanted = self._wanted(None if refused else pool.weights)
        if wanted.sha256 != pool.weights.sha256:
            self._replace(pool, wanted)

    def _replace(self, pool: WorkerPool, wanted: Weights) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            coming = self._coming = WorkerPool(self._settings, wanted)
        ready = False
        try:
            coming.await_model(LOAD_S)
            with self._lock:
                ready = self._pool is pool and not self._closed.is_set()
                if ready:
                    self._pool = coming
                    _log.info("model_taken_over", version=wanted.version, before=pool.weights.version)
        finally:
            if coming.has_refused:
                self._source.refuse(wanted)
            self._coming = None
            if ready:
                pool.drain()
            else:
                coming.end()

    @contextmanager
    def _turn(self, account_id: int) -> Iterator[None]:
        """Wait until another detection of the account may be given to the processes."""
        with self._counting:
            free = self._counting.wait_for(
                lambda: self._running[account_id] < self._running_max, self._settings.detect_patience_s
            )
            if not free:
                raise TransientFailure(Code.SERVER_BUSY, "other detections of this account take longer than usual")
            self._running[account_id] += 1
        try:
            yield
        finally:
            with self._counting:
                self._running[account_id] -= 1
                if not self._running[account_id]:
                    del self._running[account_id]
                self._counting.notify_all()

    def _count(self, account_id: int, change: int) -> None:
        with self._counting:
            if change > 0 and self._of_account[account_id] >= self._settings.detect_per_account_max:
                raise RejectedInput(Code.RATE_LIMITED, "this account has as many detections under way as it may")
            self._of_account[account_id] += change
            if not self._of_account[account_id]:
                del self._of_account[account_id]
            metrics.DETECTION_QUEUE.set(self._of_account.total())


def detection() -> Detection:
    """The pool of the application that answers the current request."""
    found: Detection = current_app.extensions["granary"].detection
    return found
