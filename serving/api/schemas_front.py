"""What the front door itself answers: what there is, the predefined queries, and whether it works."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from serving.api.schemas import Answer


class NamedQuery(Answer):
    """A predefined query and how many slices, series and subjects it answers."""

    name: str
    plane: str
    tumor: bool
    slice_count: int
    series_count: int
    subject_count: int
    model_slice_count: int
    """Slices that the active model's word would add where no truth speaks, with `labels=all`; the next two likewise."""
    model_series_count: int
    model_subject_count: int
    url: str = ""


class NamedQueryList(BaseModel):
    """The predefined queries in the order they are shown."""

    queries: list[NamedQuery]


class FrontPage(BaseModel):
    """What a program gets at the front door."""

    name: str
    series: int
    slices: int
    subjects: int
    collections: dict[str, int]
    queries: list[NamedQuery]
    links: dict[str, str]


class Health(BaseModel):
    """Whether requests can be answered."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether what requests need works."""

    status: Literal["ready", "unready"]
    parts: dict[str, Literal["ok", "degraded", "failing"]]
    """`degraded`: the part does not answer, and something else does its work for the time being."""
