"""What the pipeline did last, and what it could not use: for its page and for anyone who watches it.

Goes in: a connection. Comes out: frozen records; only `rejects_to_retry`, which is for operators, tells
UIDs. Loaded runs are `search.runs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from braingranary.catalog.db import Connection, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectReason:
    """How many series of one collection one step could not use, by one reason."""

    code: Annotated[str, Field(description="stable code of the reason", examples=["localizer"])]
    step: str
    archive: str
    collection: str
    series_count: int
    lost_count: Annotated[
        int, Field(description="not in the catalogue at all; of the others only single files were left out")
    ]
    newest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newest:
    step: str
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRun:
    """One scoring run that was loaded."""

    run: str
    model: str
    published_at: datetime
    series_count: int
    slice_count: int
    reject_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSeries:
    """One series that one step could not use."""

    archive: str
    series_uid: str
    code: str
    step: str
    object_key: str | None
    """Its raw object where it is staged."""


def rejects_to_retry(
    connection: Connection, *, code: str | None = None, series: Sequence[str] = ()
) -> list[RejectedSeries]:
    """Series that are rejected as a whole, by reason or by UID."""
    return many(
        connection, RejectedSeries, "rejects_to_retry", {"code": code, "any_series": not series, "series": list(series)}
    )


def reject_reasons(connection: Connection, *, limit: int) -> list[RejectReason]:
    """Rejects by reason, the most frequent first."""
    return many(connection, RejectReason, "reject_summary", {"limit": limit})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    share: float | None


def reject_share(connection: Connection, *, since: datetime) -> float | None:
    """The share of rejects, 0 to 1, in all that was published since then and loaded; None where nothing was."""
    found = one(connection, _Share, "reject_share", {"since": since})
    return found.share if found else None


def score_runs(connection: Connection, *, limit: int) -> list[ScoreRun]:
    """Loaded scoring runs, the newest first."""
    return many(connection, ScoreRun, "score_run_page", {"limit": limit})


def newest_runs(connection: Connection) -> dict[str, datetime]:
    """When each step (`ingest`, `normalize`, `score`) last published something that was loaded."""
    return {item.step: item.published_at for item in many(connection, _Newest, "newest_runs", {})}
