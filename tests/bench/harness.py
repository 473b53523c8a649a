"""Benchmarks as ratios: ours against a named peer, interleaved A B B A in one run, equal output asserted first.

Machines are noisy, so a wall time alone says nothing. Each round measures both sides next to each other and yields
one ratio peer/ours (above 1: ours is faster); the median with minimum and maximum over the rounds is the figure.
Every comparison is printed and kept as JSON under `artifacts/bench/`; `python -m tests.bench.render` turns these into
docs/benchmarks.md.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "bench"
ROUNDS_MIN = 7
POLL_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of docs/benchmarks.md."""

    name: str
    peer: str
    unit: str
    target: float
    ratio_median: float
    ratio_min: float
    ratio_max: float
    ours_seconds_median: float
    peer_seconds_median: float
    rounds: int
    note: str
    machine: str
    ours_peak_rss_mb: float | None = None
    peer_peak_rss_mb: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the median reaches the target."""
        return self.ratio_median >= self.target


def compare(
    *,
    name: str,
    peer_name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    target: float,
    unit: str,
    equal: Callable[[object, object], None],
    rounds: int = ROUNDS_MIN,
    note: str = "",
) -> Comparison:
    """Time two callables in this process; `equal(ours(), peer())` raises first when their outputs differ.

    That first call of each is the warm-up too.
    """
    equal(ours(), peer())
    return _interleave(
        name=name,
        peer_name=peer_name,
        ours=_timed(ours),
        peer=_timed(peer),
        target=target,
        unit=unit,
        rounds=rounds,
        note=note,
    )


def compare_processes(
    *,
    name: str,
    peer_name: str,
    ours: Sequence[str],
    peer: Sequence[str],
    target: float,
    unit: str,
    equal: Callable[[], None],
    rounds: int = ROUNDS_MIN,
    note: str = "",
    env: dict[str, str] | None = None,
    reset: Callable[[], None] = lambda: None,
) -> Comparison:
    """Time two commands as whole processes, with the peak resident memory of the largest process of each.

    `reset` runs untimed before every command (an empty bucket, an empty folder); `equal` runs once after both have
    run once and raises when what they left behind differs.
    """
    run_ours, run_peer = _Process(ours, env, reset), _Process(peer, env, reset)
    run_ours()
    run_peer()
    equal()
    return _interleave(
        name=name,
        peer_name=peer_name,
        ours=run_ours,
        peer=run_peer,
        target=target,
        unit=unit,
        rounds=rounds,
        note=note,
    )


class _Process:
    """A command that is timed; remembers its peak resident memory."""

    def __init__(self, command: Sequence[str], env: dict[str, str] | None, reset: Callable[[], None]) -> None:
        self.command = list(command)
        self.env = {**os.environ, **(env or {})}
        self.reset = reset
        self.peak_rss_mb = 0.0

    def __call__(self) -> float:
        self.reset()
        start = time.monotonic()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(self.command, env=self.env, stdout=subprocess.DEVNULL, stderr=errors)
            # Not getrusage: Linux carries a parent's peak over fork and exec into the child's figure.
            while process.poll() is None:
                self.peak_rss_mb = max(self.peak_rss_mb, _peak_rss_mb(process.pid))
                time.sleep(POLL_S)
            seconds = time.monotonic() - start
            if process.returncode:
                errors.seek(0)
                told = errors.read()[-2000:].decode(errors="replace")
                raise RuntimeError(f"{self.command[0]} ended with {process.returncode}: {told}")
        return seconds


def _peak_rss_mb(pid: int) -> float:
    """The high-water mark of a process's resident memory so far; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        gc.collect()
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return run


def _interleave(
    *,
    name: str,
    peer_name: str,
    ours: Callable[[], float],
    peer: Callable[[], float],
    target: float,
    unit: str,
    rounds: int,
    note: str,
) -> Comparison:
    assert rounds >= ROUNDS_MIN, f"at least {ROUNDS_MIN} rounds"
    ours_seconds: list[float] = []
    peer_seconds: list[float] = []
    for number in range(rounds):
        if number % 2 == 0:
            ours_seconds.append(ours())
            peer_seconds.append(peer())
        else:
            peer_seconds.append(peer())
            ours_seconds.append(ours())
    ratios = [theirs / mine for mine, theirs in zip(ours_seconds, peer_seconds, strict=True)]
    result = Comparison(
        name=name,
        peer=peer_name,
        unit=unit,
        target=target,
        ratio_median=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        ours_seconds_median=statistics.median(ours_seconds),
        peer_seconds_median=statistics.median(peer_seconds),
        rounds=rounds,
        note=note,
        machine=machine(),
        ours_peak_rss_mb=getattr(ours, "peak_rss_mb", None),
        peer_peak_rss_mb=getattr(peer, "peak_rss_mb", None),
    )
    _keep(result)
    return result


def machine() -> str:
    """What the figures were measured on."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def slug(name: str) -> str:
    """A name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _keep(result: Comparison) -> None:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    kept = ARTIFACTS / f"{slug(f'{result.name} vs {result.peer}')}.json"
    kept.write_text(json.dumps(asdict(result), indent=1) + "\n")
    verdict = "reached" if result.reached else "MISSED"
    print(
        f"\nbench {result.name} vs {result.peer}: {result.ratio_median:.2f}x "
        f"({result.ratio_min:.2f} to {result.ratio_max:.2f}, {result.rounds} rounds), "
        f"target {result.target}x {verdict}; {result.ours_seconds_median:.3f} s against "
        f"{result.peer_seconds_median:.3f} s a {result.unit}"
        + (
            f"; peak RSS {result.ours_peak_rss_mb:.0f} MB against {result.peer_peak_rss_mb:.0f} MB"
            if result.ours_peak_rss_mb is not None and result.peer_peak_rss_mb is not None
            else ""
        )
    )
