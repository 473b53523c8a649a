"""What the routes of collections, subjects and studies take and answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from serving.api.schemas import Answer, Day, PageParameters, Parameters, Sex, Species, Text, Uid

Id = Annotated[
    str, Field(max_length=19, pattern=r"^[0-9]{1,19}$", json_schema_extra={"example": "4611686018427387904"})
]


class CollectionPath(Parameters):
    """A collection by the id that lists give."""

    collection_id: Id


class SubjectPath(Parameters):
    """A subject by the id that lists give."""

    subject_id: Id


class StudyPath(Parameters):
    """A study by its StudyInstanceUID."""

    uid: Uid


class SubjectsParameters(PageParameters):
    """Filters of the list of subjects."""

    subject: Text | None = Field(default=None, description="the archive's public pseudonym")
    collection: Text | None = None
    species: Species | None = None
    sex: Sex | None = None


class StudiesParameters(PageParameters):
    """Filters of the list of studies."""

    subject: Text | None = Field(default=None, description="the archive's public pseudonym")
    collection: Text | None = None
    date_from: Day | None = Field(default=None, description="first day; archives often shift dates")
    date_to: Day | None = Field(default=None, description="last day")


class CollectionLicense(Answer):
    """A licence that series of a collection may be passed on under."""

    name: str | None
    url: str | None
    series_count: int


class Collection(Answer):
    """One collection with what it holds as of the last load."""

    id: str
    archive: str = Field(examples=["tcia"])
    name: str = Field(examples=["LGG-1p19qDeletion"])
    subject_count: int
    study_count: int
    series_count: int
    slice_count: int = Field(description="slices of all planes")
    species: list[str]
    licenses: list[CollectionLicense]
    citation_urls: list[str]
    published_at: datetime = Field(description="when the newest of its series was published, UTC")
    url: str
    series_url: str


class CollectionPage(BaseModel):
    """A page of collections; `next` is the cursor of the page after it, null at the end."""

    collections: list[Collection]
    next: str | None


class Subject(Answer):
    """One head; the same person may stand in more than one collection."""

    id: str
    subject: str = Field(description="the archive's public pseudonym")
    species: str
    sex: str | None
    study_count: int
    series_count: int
    collections: list[str]
    url: str


class SubjectPage(BaseModel):
    """A page of subjects."""

    subjects: list[Subject]
    next: str | None


class Study(Answer):
    """One examination."""

    study_uid: str
    subject: str
    study_date: date | None = Field(description="often shifted by the archive")
    study_description: str | None
    series_count: int
    collections: list[str]
    sequences: list[str]
    url: str
    subject_url: str


class StudyPage(BaseModel):
    """A page of studies."""

    studies: list[Study]
    next: str | None


class SubjectDetail(Subject):
    """One head with a page of its studies."""

    studies: list[Study]
    next: str | None


class StudySeries(Answer):
    """One series within its study."""

    series_uid: str
    series_number: int | None
    series_description: str | None
    modality: str
    sequence: str | None
    plane: str
    slice_count: int
    volume_count: int
    url: str
    thumbnail_url: str | None


class StudyDetail(Study):
    """One examination with a page of its series."""

    series: list[StudySeries]
    next: str | None
