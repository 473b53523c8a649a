"""The pipeline's state as its page tells it: ages in words, runs of all steps in one list.

Goes in: records of the catalogue and the present moment. Comes out: what the template prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from braingranary.catalog.read.pipeline import ScoreRun
from braingranary.catalog.read.series import Run as LoadedRun

STEPS: Final = {"ingest": "Ingested", "normalize": "Normalized", "score": "Scored"}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How fresh one step is; both None where it never published anything that was loaded."""

    text: str
    at: datetime | None
    age: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One loaded run of any step; counts that its step does not have are None: an ingest only carries rejects."""

    step: str
    run: str
    published_at: datetime
    series_count: int | None
    pack_count: int | None
    slice_count: int | None
    label_count: int | None
    reject_count: int


def age_of(age: timedelta) -> str:
    """`4 min ago`, in the largest unit that fits twice, so that it is never off by more than half."""
    seconds = max(0, int(age.total_seconds()))
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return "just now" if seconds < _UNITS[-1][0] else f"{seconds} s ago"


def steps(newest: Mapping[str, datetime], *, now: datetime) -> list[Step]:
    """Freshness of every step."""
    found = [(text, newest.get(step)) for step, text in STEPS.items()]
    return [Step(text=text, at=at, age=age_of(now - at) if at else None) for text, at in found]


def runs(loaded: Iterable[LoadedRun], scored: Iterable[ScoreRun], *, limit: int) -> list[Run]:
    """The newest runs of all steps, at most `limit`."""
    merged = [
        Run(
            step=item.step,
            run=item.run,
            published_at=item.published_at,
            series_count=item.series_count if item.step != "ingest" else None,
            pack_count=item.pack_count if item.step != "ingest" else None,
            slice_count=item.slice_count if item.step != "ingest" else None,
            label_count=item.label_count if item.step != "ingest" else None,
            reject_count=item.reject_count,
        )
        for item in loaded
    ] + [
        Run(
            step="score",
            run=item.run,
            published_at=item.published_at,
            series_count=item.series_count,
            pack_count=None,
            slice_count=item.slice_count,
            label_count=None,
            reject_count=item.reject_count,
        )
        for item in scored
    ]
    return sorted(merged, key=lambda run: run.published_at, reverse=True)[:limit]
