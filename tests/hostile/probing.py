"""One client that asks for health all the time, from an address of its own: what others notice of an attack."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from tests.bench.levels import quantile
from tests.serving.nginx import NginxSite

PROBER = "127.0.9.9"


@dataclass
class Probe:
    """What the client saw: milliseconds of each answer, and what failed."""

    site: NginxSite
    ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask on a new connection each time until `stop` is set."""
        with self.site.client(PROBER) as client:
            while not self.stop.wait(0.06):
                began = time.perf_counter()
                try:
                    client.get("/healthz", headers={"Connection": "close"}).raise_for_status()
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                self.ms.append((time.perf_counter() - began) * 1000)

    def summary(self) -> str:
        """The figures in words."""
        return f"health_p50_ms={quantile(self.ms, 0.5):.0f} health_p99_ms={quantile(self.ms, 0.99):.0f} (target 250)"


@contextlib.contextmanager
def probing(site: NginxSite) -> Iterator[Probe]:
    """Ask for health while the block runs."""
    probe = Probe(site)
    thread = threading.Thread(target=probe.run)
    thread.start()
    try:
        yield probe
    finally:
        probe.stop.set()
        thread.join()
