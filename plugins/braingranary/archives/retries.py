"""Patience with an archive: how often it is asked again, how long is waited, and when a transfer is given up.

Goes in: a `Politeness`. Comes out: tenacity's `Retrying` for TransientFailure, with jitter and Retry-After honoured,
and chunks that are `watched`: TransientFailure(DOWNLOAD_STALLED) for a transfer that is too slow or too long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from braingranary.archives.failures import Unavailable
from braingranary.errors import Code, TransientFailure

_log = structlog.get_logger(__name__)
_THROUGHPUT_WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Politeness:
    """How an archive is treated. The defaults suit public archives; tests make the waits short."""

    attempts: int = 5
    wait_min_s: float = 5.0
    wait_max_s: float = 120.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 120.0
    series_deadline_s: float = 3600.0
    """For one series, all attempts together."""
    throughput_min_bytes_s: float = 8 * 1024.0
    """Below it for a whole window the transfer is stalled, even though bytes trickle in."""
    throughput_window_s: float = _THROUGHPUT_WINDOW_S
    sleep: Callable[[float], None] = time.sleep


def retrying(politeness: Politeness, *, deadline: Deadline | None = None) -> Retrying:
    """Attempts for `for attempt in ...: with attempt:`; the last failure is raised as it is."""
    backoff = wait_random_exponential(multiplier=politeness.wait_min_s, max=politeness.wait_max_s)

    def wait(state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.retry_after_s if isinstance(failure, Unavailable) else None
        if asked is not None:
            # Asked for more than we are willing to wait, we still do not come back sooner than our own longest wait.
            return min(max(asked, 0.0), politeness.wait_max_s)
        return max(politeness.wait_min_s, backoff(state))

    def give_up(state: RetryCallState) -> bool:
        if stop_after_attempt(politeness.attempts)(state):
            return True
        return deadline is not None and deadline.left_s() <= state.upcoming_sleep

    def tell(state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        code = failure.code if isinstance(failure, TransientFailure) else None
        _log.info("archive_retry", attempt=state.attempt_number, wait_s=round(state.upcoming_sleep, 1), code=code)

    return Retrying(
        stop=give_up,
        wait=wait,
        retry=retry_if_exception(_is_the_archives),
        sleep=politeness.sleep,
        before_sleep=tell,
        reraise=True,
    )


def _is_the_archives(error: BaseException) -> bool:
    """Whether asking the archive again may help: a full disk here is no reason to send the series once more."""
    return isinstance(error, TransientFailure) and error.code is not Code.DISK_FULL


class Deadline:
    """A moment on the monotonic clock by which something must be done."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left_s(self) -> float:
        """Seconds left, negative once it has passed."""
        return self._until - time.monotonic()


def watched(chunks: Iterator[bytes], politeness: Politeness, deadline: Deadline) -> Iterator[bytes]:
    """`chunks` as they are, or TransientFailure(DOWNLOAD_STALLED) when they come too slowly or for too long."""
    began, in_window = time.monotonic(), 0
    for chunk in chunks:
        now = time.monotonic()
        if deadline.left_s() <= 0:
            raise TransientFailure(Code.DOWNLOAD_STALLED, "the deadline of the series has passed")
        in_window += len(chunk)
        seconds = now - began
        if seconds >= politeness.throughput_window_s:
            if in_window < politeness.throughput_min_bytes_s * seconds:
                raise TransientFailure(Code.DOWNLOAD_STALLED, f"{in_window} bytes in {seconds:.0f} s is too slow")
            began, in_window = now, 0
        yield chunk
        # Time that the consumer took is not the archive's.
        began += time.monotonic() - now
