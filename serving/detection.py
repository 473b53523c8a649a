"""Detections in a bounded pool of processes: a decoder that crashes, hangs or eats memory takes none of us along.

Why processes and not the threads that are there: an upload is hostile and runs through C decoders. In a process of its
own the worst upload costs one detection; torch and its memory stay out of the processes that serve; and its Python
parts do not hold up other requests by the interpreter's lock. Handing an upload over costs about a millisecond.
docs/decisions/0011-detection-in-processes.md has the figures.

Goes in: settings. Comes out: answers. Fails at once with TransientFailure(SERVER_BUSY) when all places are taken, with
TransientFailure(MODEL_UNAVAILABLE) while no model is loaded, with RejectedInput for an upload that is refused or that
ended its process (DETECTION_FAILED).
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as Waiting
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog
from flask import current_app
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from braingranary.detector.answers import Answer
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.settings import ServingSettings
from serving import detecting, metrics
from serving.slots import Slots

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

DETECTIONS_A_PROCESS: Final = 5_000
"""After so many a process is replaced, so that no leak of a decoder adds up."""
_log = structlog.get_logger(__name__)


class Detection:
    """The detecting processes of one process of the front door."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._places = Slots(settings.detect_processes + settings.detect_waiting_max)
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._version: ProcessFuture[str] | None = None
        self._counting = threading.Lock()
        self._taken = 0

    @property
    def enabled(self) -> bool:
        """Whether this front door detects at all."""
        return self._settings.detect_processes > 0

    def open(self) -> None:
        """Start the processes without waiting for them; only after the fork, more than once is fine."""
        if self.enabled and self._pool is None:
            threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        with suppress(TransientFailure):  # it has been logged, and is tried again by whoever asks next
            self._opened()

    def close(self) -> None:
        """End the processes, whatever they do."""
        with self._lock:
            if self._pool is not None:
                self._pool.stop()  # type: ignore[no-untyped-call]
                self._pool.join()
                self._pool = None

    def ask(self, timeout_s: float) -> None:
        """Raise TransientFailure(MODEL_UNAVAILABLE) unless a model is loaded by now; for /readyz."""
        self._opened()
        self._loaded_version(timeout_s)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those who detect or wait; raises TransientFailure at once where there is none, or no model.

        Taken before the body is read, so that a refusal costs nothing.
        """
        if not self.enabled:
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "this front door does not detect")
        with self._places.taken():
            self._count(1)
            try:
                yield
            finally:
                self._count(-1)

    def detect(self, data: bytes, *, overlay: bool = False) -> Answer:
        """One detection, inside a `place`; counted by how it ends."""
        start, outcome = time.monotonic(), "failed"
        try:
            answer = self._detect(data, overlay)
            outcome = "tumor" if answer.result == "Tumor" else "no_tumor"
        except RejectedInput as error:
            outcome = "declined" if error.code is Code.NOT_BRAIN_MR else "refused"
            raise
        finally:
            metrics.detected(outcome, time.monotonic() - start)
        return answer

    def _detect(self, data: bytes, overlay: bool) -> Answer:
        pool = self._opened()
        self._loaded_version(self._settings.detect_timeout_s)
        future = pool.schedule(detecting.detect, args=(data, overlay))
        try:
            # Those before us may take their whole time each.
            return future.result(self._settings.detect_timeout_s * (1 + self._settings.detect_waiting_max))
        except ProcessExpired as error:
            _log.warning("detection_ended_its_process", exit_status=error.exitcode)
            raise RejectedInput(Code.DETECTION_FAILED, "the upload takes too long or too much to be handled") from None
        except (Waiting, CancelledError):
            future.cancel()  # type: ignore[no-untyped-call]
            raise TransientFailure(Code.SERVER_BUSY, "detections take longer than usual") from None
        except BrokenProcessPool:
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "the detecting processes are being replaced") from None

    def _loaded_version(self, timeout_s: float) -> str:
        version = self._version
        try:
            if version is None:
                raise TransientFailure(Code.MODEL_UNAVAILABLE, "the model is being loaded")
            return version.result(timeout_s)
        except (Waiting, CancelledError):
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "the model is being loaded") from None
        except (ProcessExpired, BrokenProcessPool) as error:
            self._version = None
            raise TransientFailure(Code.MODEL_UNAVAILABLE, f"no process has a model ({type(error).__name__})") from None

    def _opened(self) -> ProcessPool:
        """The pool, started where it is not, and anew where it broke."""
        with self._lock:
            if self._pool is not None and self._pool.active and self._version is not None:
                return self._pool
            if self._pool is not None:
                self._pool.stop()  # type: ignore[no-untyped-call]
                self._pool.join()
            settings = self._settings
            self._pool = ProcessPool(
                max_workers=settings.detect_processes,
                max_tasks=DETECTIONS_A_PROCESS,
                initializer=detecting.prepare,
                initargs=(settings.detect_weights, settings.detect_memory_mib, settings.detect_timeout_s),
                context=_context(),
            )
            try:
                self._version = self._pool.schedule(detecting.version)
            except BrokenProcessPool as error:
                # As with a temporary folder whose name is too long for the fork server's socket.
                _log.error("detecting_processes_not_started", exc_info=error)
                raise TransientFailure(Code.MODEL_UNAVAILABLE, "no detecting process can be started") from None
            return self._pool

    def _count(self, change: int) -> None:
        with self._counting:
            self._taken += change
            metrics.detect_queue(self._taken)


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(detecting.PRELOADED))
    return context


def detection() -> Detection:
    """The pool of the application that answers the current request."""
    found: Detection = current_app.extensions["granary"].detection
    return found
