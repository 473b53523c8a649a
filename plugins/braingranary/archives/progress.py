"""The progress of a batch: what its threads receive and finish, reported at most once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from braingranary.records import SeriesRecord

_PROGRESS_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a batch stands. Bytes are those that were received; `eta_s` is None before it can be estimated."""

    series_done: int
    series_total: int
    bytes_received: int
    seconds: float
    eta_s: float | None
    series_uid: str | None = None
    """The series that was just finished, None for a report in between."""


ProgressCallback: TypeAlias = Callable[[Progress], None]


class ProgressMeter:
    """Counts what the threads receive and reports it, at most once a second and at every finished series."""

    def __init__(self, records: Sequence[SeriesRecord], progress: ProgressCallback) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._weights = {record.series_uid: 1 + (record.total_bytes or 0) for record in records}
        self._total = len(records)
        self._done = 0
        self._done_weight = 0
        self._bytes = 0
        self._began = self._reported = time.monotonic()

    def received(self, count: int) -> None:
        """`count` bytes have arrived."""
        with self._lock:
            self._bytes += count
            if time.monotonic() - self._reported >= _PROGRESS_EVERY_S:
                self._report(None)

    def finished(self, series_uid: str) -> None:
        """One series is done, whatever became of it."""
        with self._lock:
            self._done += 1
            self._done_weight += self._weights.get(series_uid, 1)
            self._report(series_uid)

    def _report(self, series_uid: str | None) -> None:
        self._reported = time.monotonic()
        seconds = self._reported - self._began
        left = sum(self._weights.values()) - self._done_weight
        eta_s = seconds * left / self._done_weight if self._done_weight else None
        self._progress(
            Progress(
                series_done=self._done,
                series_total=self._total,
                bytes_received=self._bytes,
                seconds=seconds,
                eta_s=eta_s,
                series_uid=series_uid,
            )
        )
