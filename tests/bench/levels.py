"""Figures that stand on their own: latencies under load, rates and memory, each against a limit it must keep.

A ratio needs a peer; "p99 under 200 ms with 4 clients" does not. Goes in: figures with their limits, or calls to be
made by some clients at once. Comes out: one JSON file a scenario under `artifacts/bench/levels/`, printed, and turned
into docs/benchmarks.md by `tests.bench.render`.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from tests.bench.harness import ARTIFACTS, machine, slug

LEVELS = ARTIFACTS / "levels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value and the limit it has to keep."""

    name: str
    """As people say it: p99, resident memory of a worker, requests."""
    value: float
    unit: str
    limit: float | None = None
    at_most: bool = True
    """False: the value has to reach the limit instead of staying below it."""

    @property
    def kept(self) -> bool:
        """Whether the limit is kept; a figure without one always is."""
        if self.limit is None:
            return True
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One scenario with its figures."""

    name: str
    figures: tuple[Figure, ...]
    note: str
    machine: str

    @classmethod
    def from_json(cls, text: str) -> Level:
        """What `record` wrote."""
        values = json.loads(text)
        return cls(**{**values, "figures": tuple(Figure(**figure) for figure in values["figures"])})


def record(name: str, figures: Sequence[Figure], *, note: str = "") -> Level:
    """Print and keep the figures of one scenario; a missed limit is told, not raised."""
    level = Level(name=name, figures=tuple(figures), note=note, machine=machine())
    LEVELS.mkdir(parents=True, exist_ok=True)
    (LEVELS / f"{slug(name)}.json").write_text(json.dumps(asdict(level), indent=1) + "\n")
    print(f"\nbench {name}: {'; '.join(told(figure) for figure in level.figures)}")
    return level


def told(figure: Figure) -> str:
    """`p99 23.4 ms (at most 50 ms reached)`."""
    text = f"{figure.name} {figure.value:.4g} {figure.unit}"
    if figure.limit is None:
        return text
    side = "at most" if figure.at_most else "at least"
    return f"{text} ({side} {figure.limit:.4g} {figure.unit} {'reached' if figure.kept else 'MISSED'})"


def hammer(make_call: Callable[[int], Callable[[], object]], *, clients: int, calls: int) -> list[float]:
    """Milliseconds of every call that `clients` threads made at once, `calls` each, one after the other.

    `make_call(number)` opens a client of its own (a connection) and gives what is timed; the first call of each client
    is a warm-up that does not count. A call that raises ends the measurement with its error.
    """
    spent: list[list[float]] = [[] for _ in range(clients)]
    errors: list[BaseException] = []
    ready = threading.Barrier(clients)

    def client(number: int) -> None:
        try:
            call = make_call(number)
            call()
            ready.wait()
            for _ in range(calls):
                start = time.perf_counter()
                call()
                spent[number].append((time.perf_counter() - start) * 1000)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            errors.append(error)
            ready.abort()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told_apart = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    if errors:
        raise (told_apart or errors)[0]
    return [milliseconds for one in spent for milliseconds in one]


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
