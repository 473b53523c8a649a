"""What runs inside a detecting process: it opens hostile bytes and asks the network, and nothing else.

It is started clean (a fork server with no thread, socket or secret of the front door), holds one loaded model, uses one
core, and is bounded from inside: memory by RLIMIT_DATA, the time of one detection by an alarm that ends the process
even in the middle of a decoder's C code, and files by a size limit of nothing: whatever a decoder tries, no byte of an
upload reaches a disk. The front door imports this module to name its functions, so torch is only imported where they
run.

Fails with RejectedInput for uploads, TransientFailure(MODEL_UNAVAILABLE) where there is no usable model.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from braingranary.detector.contracts.detection import Answer
from braingranary.errors import Code, GranaryError, TransientFailure
from serving.http import logs

if TYPE_CHECKING:
    from braingranary.detector.inference.score import Scorer

PRELOADED: Final = ("serving.detect.clean_start", "braingranary.detector.inference.on_demand", "serving.detect.worker")
"""Imported once by the fork server, in this order; each process starts with them."""

_log = structlog.get_logger(__name__)


class _Process:
    """The state of one detecting process."""

    scorer: Scorer | None = None
    timeout_s: float = 0.0


def prepare(weights: bytes, sha256: str, memory_mib: int, timeout_s: float) -> None:
    """Bound this process, load the model in `weights`, whose hash has to be `sha256`, and ask it once, to warm up."""
    from braingranary.detector.inference import on_demand  # noqa: PLC0415 - see the module

    logs.configure()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mib << 20, memory_mib << 20))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _Process.timeout_s = timeout_s
    try:
        scorer = on_demand.open_scorer(weights, sha256)
    except GranaryError as error:
        _log.error("model_not_loaded", code=error.code, detail=error.message)
        return
    _Process.scorer = scorer
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def version() -> str:
    """The version of the loaded model; raises TransientFailure(MODEL_UNAVAILABLE)."""
    return _scorer().model.metadata.version


def detect(handed: list[bytes], overlay: bool) -> Answer:
    """One detection of the one upload handed over; see `detector.on_demand.detect`.

    One that takes longer than allowed ends this process.
    """
    from braingranary.detector.inference import on_demand  # noqa: PLC0415 - see the module

    (data,) = handed
    scorer = _scorer()
    with _alarm(_Process.timeout_s):
        return on_demand.detect(data, scorer, overlay=overlay)


def _scorer() -> Scorer:
    if _Process.scorer is None:
        raise TransientFailure(Code.MODEL_UNAVAILABLE, "no model is loaded")
    return _Process.scorer


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
