"""What the sample archive serves: the index of its folder, the faults in force, and what it was asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from braingranary.devstack.sample_archive.answers import Row, series_row
from braingranary.devstack.sample_archive.faults import FaultPlan, FaultRule
from braingranary.devstack.sample_archive.index import FolderIndex


@dataclass(slots=True)
class Stats:
    """What the server was asked: requests by endpoint, and how many ran at once at most."""

    requests: Counter[str] = field(default_factory=Counter)
    series: Counter[str] = field(default_factory=Counter)
    """getImage requests by SeriesInstanceUID."""
    bytes_sent: int = 0
    at_once: int = 0
    at_once_max: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class ServedArchive:
    """The state that the threads of the server share."""

    def __init__(
        self,
        folder: Path,
        released: date | None,
        latency_s: float,
        faults: Iterable[FaultRule],
        deflate_level: int,
    ) -> None:
        self.index = FolderIndex(folder)
        self.released = released
        self.latency_s = latency_s
        self.deflate_level = deflate_level
        self.plan = FaultPlan(faults)
        self.stats = Stats()
        self.ending = threading.Event()

    @property
    def series_count(self) -> int:
        """How many series are served."""
        return len(self.index.series)

    def rows(self) -> list[Row]:
        """The getSeries records of everything served."""
        return [series_row(item, self.released) for item in self.index.series.values()]
