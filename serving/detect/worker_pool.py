"""Detecting processes around one model: started together, replaced one by one when they end, ended together.

Goes in: settings and weights. Comes out: answers. Fails with TransientFailure(MODEL_UNAVAILABLE) while no model is
loaded, with TransientFailure(SERVER_BUSY) when a turn does not come, with RejectedInput for an upload that is refused
or that ended its process (DETECTION_FAILED).
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as Waiting
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Final

import structlog
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from braingranary.detector.contracts.detection import Answer
from braingranary.errors import Code, GranaryError, RejectedInput, TransientFailure
from braingranary.settings import ServingSettings
from serving.detect import worker
from serving.detect.weights import Weights

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

DETECTIONS_A_PROCESS: Final = 5_000
"""After so many a process is replaced, so that no leak of a decoder adds up."""
_log = structlog.get_logger(__name__)


class WorkerPool:
    """The processes; making one starts them and does not wait for them."""

    def __init__(self, settings: ServingSettings, weights: Weights) -> None:
        self.weights = weights
        self._patience_s = settings.detect_patience_s
        self._lost = self._ended = False
        self._pool = ProcessPool(
            max_workers=settings.detect_processes,
            max_tasks=DETECTIONS_A_PROCESS,
            initializer=worker.prepare,
            initargs=(weights.data, weights.sha256, settings.detect_memory_mib, settings.detect_timeout_s),
            context=_context(),
        )
        try:
            self._version = self._pool.schedule(worker.version)
        except BrokenProcessPool as error:
            # As with a temporary folder whose name is too long for the fork server's socket.
            _log.error("detecting_processes_not_started", exc_info=error)
            self.end()
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "no detecting process can be started") from None

    @property
    def works(self) -> bool:
        """Whether it is worth asking; False once its processes were lost."""
        return bool(self._pool.active) and not self._lost

    @property
    def has_refused(self) -> bool:
        """Whether its processes could not load the weights."""
        version = self._version
        return version.done() and not version.cancelled() and isinstance(version.exception(), GranaryError)

    def await_model(self, timeout_s: float) -> None:
        """Return when a process has the model; raises TransientFailure(MODEL_UNAVAILABLE)."""
        try:
            self._version.result(timeout_s)
        except (Waiting, CancelledError):
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "the model is being loaded") from None
        except (ProcessExpired, BrokenProcessPool) as error:
            self._lost = True
            raise TransientFailure(Code.MODEL_UNAVAILABLE, f"no process has a model ({type(error).__name__})") from None

    def submit(self, data: bytes, *, overlay: bool) -> ProcessFuture[Answer]:
        """Give one upload to the processes; returns at once."""
        handed = [data]
        try:
            future = self._pool.schedule(worker.detect, args=(handed, overlay))
        except RuntimeError:  # what a pool that broke raises, one that is closed as well
            self._lost = True
            raise TransientFailure(Code.MODEL_UNAVAILABLE, "the detecting processes are being replaced") from None
        # pebble's scheduler holds the last task that it was given until the next one comes, and its arguments with it.
        future.add_done_callback(lambda _: handed.clear())
        return future

    def result(self, future: ProcessFuture[Answer]) -> Answer:
        """Wait for what was submitted, for as long as all before it may take.

        An error of the process is raised as a new one: raised itself, which the future holds, it would close a circle
        through the frames of this request, and keep the upload until Python happens to look for circles.
        """
        try:
            error = future.exception(self._patience_s)
        except (Waiting, CancelledError):
            future.cancel()  # type: ignore[no-untyped-call]
            raise TransientFailure(Code.SERVER_BUSY, "detections take longer than usual") from None
        match error:
            case None:
                return future.result()
            case RejectedInput() | TransientFailure():
                raise type(error)(error.code, error.message)
            case ProcessExpired():
                _log.warning("detection_ended_its_process", exit_status=error.exitcode)
                raise RejectedInput(Code.DETECTION_FAILED, "the upload takes too long or too much to be handled")
            case BrokenProcessPool():
                raise TransientFailure(Code.MODEL_UNAVAILABLE, "the detecting processes are being replaced")
            case _:
                _log.error("detection_crashed", error=type(error).__name__)
                raise GranaryError(Code.INTERNAL, "a detection crashed")

    def drain(self) -> None:
        """Let the processes finish what they were given, then end them."""
        self._pool.close()  # type: ignore[no-untyped-call]
        self._pool.join()

    def end(self) -> None:
        """End the processes, whatever they do; more than once is fine."""
        if self._ended:
            return
        self._ended = True
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(worker.PRELOADED))
    return context
