"""What the front door counts for Prometheus: requests, downloads, detections, waits for the database, the build.

Labels come from closed sets (route templates, status codes, outcomes), never from a request, so that no visitor can
make the series grow. Under gunicorn prometheus_client runs in its multiprocess mode: each worker counts in files of one
folder (`PROMETHEUS_MULTIPROC_DIR`, set by gunicorn.conf.py), and whichever worker answers /metrics sums all of them.
"""

from __future__ import annotations

import os
from importlib import metadata
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

REGISTRY: Final = CollectorRegistry()
REQUEST_SECONDS: Final = Histogram(
    "granary_http_request_seconds",
    "Time to the first byte of answers, by route template, method and status.",
    ["method", "route", "status"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
DOWNLOADS_IN_FLIGHT: Final = Gauge(
    "granary_downloads_in_flight", "Downloads being sent.", multiprocess_mode="livesum", registry=REGISTRY
)
DOWNLOADED_BYTES: Final = Counter("granary_download_bytes", "Bytes sent by downloads.", registry=REGISTRY)
DETECTION_SECONDS: Final = Histogram(
    "granary_detection_seconds",
    "Time of detections, from the upload to the verdict, by outcome.",
    ["outcome"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
DETECTION_QUEUE: Final = Gauge(
    "granary_detection_queue", "Detections that wait or run.", multiprocess_mode="livesum", registry=REGISTRY
)
POOL_WAIT_SECONDS: Final = Histogram(
    "granary_pool_wait_seconds",
    "Time that requests waited for a connection to the database.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0),
    registry=REGISTRY,
)
POOL_REFUSED: Final = Counter(
    "granary_pool_refused", "Requests that got no connection to the database.", registry=REGISTRY
)
_BUILD: Final = Gauge(
    "granary_build_info", "1, with the version that runs.", ["version"], multiprocess_mode="livemax", registry=REGISTRY
)


def tell_build() -> None:
    """Tell which version runs; called in every worker after its fork."""
    _BUILD.labels(metadata.version("braingranary")).set(1)


def count_request(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count an answered request; `route` is the template, None where no route matched."""
    known = method if method in _METHODS else "other"
    REQUEST_SECONDS.labels(known, route or "none", str(status)).observe(seconds)


def text(*shared: Collector) -> bytes:
    """All counts of all processes, and gauges that are the same in each, in the text format of Prometheus."""
    outside = CollectorRegistry()
    for collector in shared:
        outside.register(collector)
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY) + generate_latest(outside)
    MultiProcessCollector(outside)  # type: ignore[no-untyped-call]
    return generate_latest(outside)
