"""Questions that only the pages for people ask: what is said of one series, and by whom.

Goes in: a connection. Comes out: frozen records; nothing found is an empty list.
"""

from __future__ import annotations

from dataclasses import dataclass

from braingranary.catalog.db import Connection, many


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSummary:
    """What one source says of one series."""

    source: str
    whole: bool | None
    """Of the series as a whole; None where it only speaks of slices."""
    tumor_slices: int
    free_slices: int


def label_summary(connection: Connection, uid: str) -> list[LabelSummary]:
    """What every source says of one series, the most trusted first."""
    return many(connection, LabelSummary, "label_summary", {"uid": uid})
