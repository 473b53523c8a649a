"""What the pipeline has done and has still to do, as gauges for Prometheus.

Goes in: ways to the catalogue and the object store. Comes out: gauges, read when /metrics is asked for and kept for
some time. A thread of their own reads them, for which nobody waits long: on a bad day the other counts must come all
the same. A gauge that cannot be read is absent, never 0.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from braingranary.archives.wanted import count_wanted
from braingranary.catalog.load import published
from braingranary.catalog.load.normalize_run import loaded_keys
from braingranary.catalog.load.score_run import loaded_score_keys
from braingranary.catalog.read.pipeline import newest_runs, reject_reasons
from braingranary.errors import GranaryError
from braingranary.storage.store import ObjectStore

CATALOG_KEPT_S: Final = 15.0
STORE_KEPT_S: Final = 300.0  # a listing of all runs is a request a thousand objects
_WAIT_S: Final = 2.0  # Prometheus gives up after ten
_REASONS_MAX: Final = 10_000

Values: TypeAlias = Mapping[str, float]
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Gauge:
    """One gauge with one label: how it is read, and what was read last."""

    name: str
    help: str
    label: str
    kept_s: float
    read: Callable[[], Values]
    values: Values | None = None
    read_at_s: float = float("-inf")

    @property
    def age_s(self) -> float:
        """Seconds since it was read."""
        return time.monotonic() - self.read_at_s

    def refresh(self) -> None:
        """Read it anew where that was too long ago; a failure is kept as long as a value."""
        if self.age_s < self.kept_s:
            return
        try:
            self.values = self.read()
        except (GranaryError, psycopg.Error) as error:
            self.values = None
            _log.warning("gauge_unreadable", gauge=self.name, error=type(error).__name__)
        self.read_at_s = time.monotonic()

    def family(self) -> GaugeMetricFamily | None:
        """What was read last; None where that failed, or was so long ago that reading must be stuck."""
        if self.values is None or self.age_s > 2 * self.kept_s + _WAIT_S:
            return None
        family = GaugeMetricFamily(self.name, self.help, labels=[self.label])
        for label, value in sorted(self.values.items()):
            family.add_metric([label], value)
        return family


class PipelineMetrics(Collector):
    """The gauges of the pipeline, for a registry of prometheus_client."""

    def __init__(
        self,
        catalog: Callable[[], AbstractContextManager[psycopg.Connection[Any]]],
        store: Callable[[], ObjectStore],
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        self._gauges = (
            _Gauge(
                "granary_newest_run_age_seconds",
                "Time since each step last published something that was loaded.",
                "step",
                CATALOG_KEPT_S,
                self._newest,
            ),
            _Gauge(
                "granary_rejected_series",
                "Series that could not be used, by code.",
                "code",
                CATALOG_KEPT_S,
                self._rejected,
            ),
            _Gauge(
                "granary_wanted_series",
                "Series that an archive announced and that are not staged, by archive.",
                "archive",
                STORE_KEPT_S,
                lambda: count_wanted(self._store()),
            ),
            _Gauge(
                "granary_pending_runs",
                "Published runs that are not loaded, by step.",
                "step",
                STORE_KEPT_S,
                self._pending,
            ),
        )

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every gauge that can be read."""
        with self._lock:
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(target=self._refresh, name="pipeline-metrics", daemon=True)
                self._reader.start()
            reader = self._reader
        reader.join(_WAIT_S)
        yield from (family for gauge in self._gauges if (family := gauge.family()) is not None)

    def describe(self) -> list[GaugeMetricFamily]:
        """The gauges without values, so that registering them reads nothing."""
        return [GaugeMetricFamily(gauge.name, gauge.help, labels=[gauge.label]) for gauge in self._gauges]

    def _refresh(self) -> None:
        for gauge in self._gauges:
            gauge.refresh()

    def _newest(self) -> Values:
        with self._catalog() as connection:
            newest = newest_runs(connection)
        return {step: time.time() - at.timestamp() for step, at in newest.items()}

    def _rejected(self) -> Values:
        with self._catalog() as connection:
            reasons = reject_reasons(connection, limit=_REASONS_MAX)
        counts: Counter[str] = Counter()
        for reason in reasons:
            counts[reason.code] += reason.series_count
        return counts

    def _pending(self) -> Values:
        with self._catalog() as connection:
            loaded = {"normalize": loaded_keys(connection), "score": loaded_score_keys(connection)}
        store = self._store()
        return {
            "normalize": len(set(published.published_keys(store, "normalize")) - loaded["normalize"]),
            "score": len(set(published.published_keys(store, "score")) - loaded["score"]),
        }
