"""Lists of subjects, of studies, and of the series of a study.

Lists are paged by key, as in `search`. Goes in: a connection, filters of which None narrows nothing, and the last key
seen. Comes out: frozen records. Nothing found is an empty list, never an error.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

from braingranary.catalog.db import Connection, many


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectFilter:
    """What a list of subjects is narrowed to."""

    subject_id: int | None = None
    subject: str | None = None
    """The archive's public pseudonym."""
    collection: str | None = None
    species: str | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectItem:
    """One head with the collections it stands in."""

    subject_id: int
    subject: str
    species: str
    sex: str | None
    study_count: int
    series_count: int
    collections: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFilter:
    """What a list of studies is narrowed to."""

    study_uid: str | None = None
    subject_id: int | None = None
    subject: str | None = None
    collection: str | None = None
    date_from: date | None = None
    date_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyItem:
    """One examination."""

    study_id: int
    study_uid: str
    subject_id: int
    subject: str
    study_date: date | None
    study_description: str | None
    series_count: int
    collections: list[str]
    sequences: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySeries:
    """One series within its study."""

    series_id: int
    series_uid: str
    series_number: int | None
    series_description: str | None
    modality: str
    sequence: str | None
    plane: str
    slice_count: int
    volume_count: int
    cover_pack_id: int | None
    cover_index: int | None


def subjects(connection: Connection, wanted: SubjectFilter, *, after: int = -1, limit: int) -> list[SubjectItem]:
    """At most `limit` subjects that match, by key, all greater than `after`."""
    return many(connection, SubjectItem, "subject_page", {**asdict(wanted), "after": after, "limit": limit})


def studies(connection: Connection, wanted: StudyFilter, *, after: int = -1, limit: int) -> list[StudyItem]:
    """At most `limit` studies that match, by key, all greater than `after`."""
    return many(connection, StudyItem, "study_page", {**asdict(wanted), "after": after, "limit": limit})


def series_of_study(connection: Connection, study_uid: str, *, after: int = -1, limit: int) -> list[StudySeries]:
    """At most `limit` series of one study, by key, all greater than `after`."""
    return many(connection, StudySeries, "series_of_study", {"study_uid": study_uid, "after": after, "limit": limit})
