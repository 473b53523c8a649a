"""What the routes of the pipeline's state answer."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from serving.api.schemas import Answer


class Run(Answer):
    """One published run that was loaded."""

    step: str = Field(description="ingest or normalize", examples=["normalize"])
    run: str
    published_at: datetime
    series_count: int
    pack_count: int
    slice_count: int
    label_count: int
    reject_count: int


class ScoreRun(Answer):
    """One scoring run that was loaded."""

    run: str
    model: str
    published_at: datetime
    series_count: int
    slice_count: int
    reject_count: int


class Freshness(BaseModel):
    """When each step last published something that was loaded; null where it never did."""

    ingest: datetime | None
    normalize: datetime | None
    score: datetime | None


class RunList(BaseModel):
    """The last runs, the newest first."""

    fresh: Freshness
    runs: list[Run]
    score_runs: list[ScoreRun]


class RejectReason(Answer):
    """How many series of one collection one step could not use, by one reason."""

    code: str = Field(description="stable code of the reason", examples=["localizer"])
    step: str
    archive: str
    collection: str
    series_count: int
    lost_count: int = Field(description="not in the catalogue at all; of the others only single files were left out")
    newest_at: datetime


class RejectList(BaseModel):
    """Reasons, the most frequent first."""

    rejects: list[RejectReason]
