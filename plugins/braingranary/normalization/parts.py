"""What one batch of normalization gives back, and what a published run lists: plain values with a JSON form.

A part is one batch: its row files stand under `runs/normalize/<run>/parts/<part>/` and nobody reads them before
`runs/normalize/<run>/published.json` lists the part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter

from braingranary.normalization.profile import Profile
from braingranary.storage import keys
from braingranary.storage.run_parts import digest_name, read_record, total

STEP: Final = "normalize"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """One batch, done: which raw zips it took, where its rows are, how many there are."""

    part: str
    """Name of the part: a digest of the profile and of the raw keys."""
    raw_keys: tuple[str, ...]
    tables: Mapping[str, str]
    """Object key of the Parquet file by table name (`rows.TABLES`); every table has one, even when it has no rows."""
    rows: Mapping[str, int]
    """Number of rows by table name."""
    awaited: Mapping[str, str] = field(default_factory=dict)
    """Raw key of each segmentation whose images are not staged yet, and the raw prefix under which they will be."""

    def to_json(self) -> str:
        """Canonical JSON of this part."""
        return _PART.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> PartResult:
        """The part told by `text`; raises RejectedInput(MANIFEST_INVALID)."""
        return read_record(_PART, text, "a part of a normalize run")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """The content of `runs/normalize/<run>/published.json`."""

    run: str
    profile: str
    parts: tuple[PartResult, ...]

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of the whole run by table name."""
        return total(part.rows for part in self.parts)

    def to_json(self) -> bytes:
        """Canonical JSON: the same parts give the same bytes."""
        return _PUBLISHED.dump_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> PublishedRun:
        """The run told by `text`; raises RejectedInput(MANIFEST_INVALID)."""
        return read_record(_PUBLISHED, text, "a published normalize run")


_PART: Final = TypeAdapter(PartResult)
_PUBLISHED: Final = TypeAdapter(PublishedRun)


def part_name(raw_keys: Sequence[str], profile: Profile) -> str:
    """The name of the part that holds exactly `raw_keys` under `profile`, whatever their order."""
    return digest_name(profile.name, raw_keys)


def table_key(run: str, part: str, table: str) -> str:
    """Object key of one table's Parquet file of one part."""
    return keys.part_object(STEP, run, part, f"{table}.parquet")


def part_key(run: str, part: str) -> str:
    """Object key of the part's own record, written when all else of it stands."""
    return keys.part_object(STEP, run, part, "part.json")


def published_key(run: str) -> str:
    """Object key of the run's one list of parts."""
    return keys.published(STEP, run)


__all__ = ["STEP", "PartResult", "PublishedRun", "part_key", "part_name", "published_key", "table_key"]
