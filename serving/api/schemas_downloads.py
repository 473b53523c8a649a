"""What the routes of downloads and of terms of use take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from serving.api.schemas import Answer, FilterParameters, Parameters, QueryName

Labels = Literal["truth", "model", "all"]
Restricted = Literal["refuse", "omit"]


class ZipParameters(Parameters):
    """What a named query's zip may be told besides."""

    labels: Labels = Field(
        default="truth", description="whose word counts; `model`: the active model's, where no truth speaks"
    )
    restricted: Restricted = Field(
        default="refuse", description="`omit` leaves out collections whose terms you have not accepted"
    )


class DownloadParameters(FilterParameters, ZipParameters):
    """A named query, the filters of the list of series, or both: what answers all of it."""

    query: QueryName | None = Field(default=None, description="a named query")


class License(Answer):
    """A licence and the collections under it."""

    name: str
    url: str
    collections: list[str]


class DownloadPlan(BaseModel):
    """What a download will be, before it is begun."""

    bytes: int
    slices: int
    packs: int
    series: int
    subjects: int
    collections: list[str]
    licenses: list[License]
    omitted: list[str] = Field(description="collections left out, because their terms are not accepted")
    needs_terms: list[str] = Field(description="terms to accept before this download is answered")
    etag: str
    url: str
    curl: str


class TermsPath(Parameters):
    """Terms of use by their name."""

    name: str = Field(max_length=64, pattern=r"^[a-z][a-z0-9-]*$")


class TermsVersion(Parameters):
    """The version that was read."""

    version: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")


class Terms(BaseModel):
    """Terms of use in force."""

    name: str
    version: str
    title: str
    url: str
    collections: list[str]
    accepted_at: datetime | None = Field(description="when you accepted this version; null where you have not")
    acceptance_url: str


class TermsList(BaseModel):
    """All terms of use in force."""

    terms: list[Terms]
