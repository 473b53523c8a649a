"""What the front door counts for Prometheus: requests, downloads, detections, waits for the database, the build.

Why here alone: labels come from closed sets (route templates, status codes, outcomes), never from a request, so that no
visitor can make the series grow. Goes in: events of one process. Comes out: the text of /metrics over all processes.

Under gunicorn prometheus_client runs in its multiprocess mode: each worker counts in files of one folder
(`PROMETHEUS_MULTIPROC_DIR`, set by gunicorn.conf.py), and whichever worker answers /metrics sums all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

REGISTRY: Final = CollectorRegistry()
_requests = Histogram(
    "granary_http_request_seconds",
    "Time to the first byte of answers, by route template, method and status.",
    ["method", "route", "status"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
_downloads = Gauge(
    "granary_downloads_in_flight", "Downloads being sent.", multiprocess_mode="livesum", registry=REGISTRY
)
_downloaded = Counter("granary_download_bytes", "Bytes sent by downloads.", registry=REGISTRY)
_detections = Histogram(
    "granary_detection_seconds",
    "Time of detections, from the upload to the verdict, by outcome.",
    ["outcome"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
_detect_queue = Gauge(
    "granary_detection_queue", "Detections that wait or run.", multiprocess_mode="livesum", registry=REGISTRY
)
_pool_wait = Histogram(
    "granary_pool_wait_seconds",
    "Time that requests waited for a connection to the database.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0),
    registry=REGISTRY,
)
_pool_refused = Counter("granary_pool_refused", "Requests that got no connection to the database.", registry=REGISTRY)
_build = Gauge(
    "granary_build_info", "1, with the version that runs.", ["version"], multiprocess_mode="livemax", registry=REGISTRY
)


def started() -> None:
    """Tell the build; called in every worker after its fork."""
    _build.labels(metadata.version("braingranary")).set(1)


def answered(method: str, route: str | None, status: int, seconds: float) -> None:
    """A request was answered; `route` is the template, None where no route matched."""
    known = method if method in _METHODS else "other"
    _requests.labels(known, route or "none", str(status)).observe(seconds)


@contextmanager
def download() -> Iterator[None]:
    """A download that is in flight for the time of the block."""
    _downloads.inc()
    try:
        yield
    finally:
        _downloads.dec()


def downloaded(sent_bytes: int) -> None:
    """So many bytes of downloads went out."""
    _downloaded.inc(sent_bytes)


def detected(outcome: str, seconds: float) -> None:
    """A detection came to an end; `outcome` is one of a few fixed words."""
    _detections.labels(outcome).observe(seconds)


def detect_queue(length: int) -> None:
    """So many detections wait or run in this process now."""
    _detect_queue.set(length)


def pool_waited(seconds: float) -> None:
    """A request got a connection after this time."""
    _pool_wait.observe(seconds)


def pool_refused() -> None:
    """A request got none."""
    _pool_refused.inc()


def text() -> bytes:
    """All counts of all processes in the text format of Prometheus."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    everything = CollectorRegistry()
    MultiProcessCollector(everything)  # type: ignore[no-untyped-call]
    return generate_latest(everything)
