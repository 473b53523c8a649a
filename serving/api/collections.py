"""`/api/v1/collections`: what there is by collection, with licences and what to cite."""

from __future__ import annotations

from datetime import datetime

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.search import totals
from braingranary.errors import Code, RejectedInput
from serving.api.schemas import Answer, Id, NoParameters, PageParameters, Parameters
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import after_of, key_of, page_of
from serving.search import answer_of

TAG = Tag(name="collections", description="Named sets of studies, as the archives publish them.")
api = APIBlueprint("collections", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class CollectionPath(Parameters):
    """A collection by the id that lists give."""

    collection_id: Id


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
    licenses: list[totals.CollectionLicense]
    citation_urls: list[str]
    published_at: datetime = Field(description="when the newest of its series was published, UTC")
    url: str
    series_url: str


class CollectionPage(BaseModel):
    """A page of collections; `next` is the cursor of the page after it, null at the end."""

    collections: list[Collection]
    next: str | None


@api.get("/collections", summary="Collections by name", responses={"200": CollectionPage})
@access(Access.PUBLIC)
def list_collections(query: PageParameters) -> Response:
    """Every collection with its counts, licences and citations."""
    snapshot = services().search.current
    return answer_of(snapshot, lambda: _page(snapshot.totals.collections, query))


def _page(every: list[totals.Collection], query: PageParameters) -> CollectionPage:
    """Collections behind the one that the cursor names; none where that has gone meanwhile."""
    keys = [item.collection_id for item in every]
    after = after_of(query.cursor)
    start = 0 if query.cursor is None else keys.index(after) + 1 if after in keys else len(every)
    page, more = page_of(every[start : start + query.limit + 1], query.limit, lambda item: item.collection_id)
    return CollectionPage(collections=[shown(item) for item in page], next=more)


@api.get("/collections/<collection_id>", summary="One collection", responses={"200": Collection})
@access(Access.PUBLIC)
def one_collection(path: CollectionPath, query: NoParameters) -> Response:  # noqa: ARG001 - so that others are refused
    """A collection with its counts, licences and citations."""
    snapshot, key = services().search.current, key_of(path.collection_id)
    found = next((item for item in snapshot.totals.collections if item.collection_id == key), None)
    if found is None:
        raise RejectedInput(Code.NOT_FOUND, "there is no such collection")
    return answer_of(snapshot, lambda: shown(found))


def shown(item: totals.Collection) -> Collection:
    """A collection with its addresses."""
    return Collection.of(
        item,
        id=str(item.collection_id),
        url=url_for("collections.one_collection", collection_id=item.collection_id),
        series_url=url_for("series.list_series", collection=item.name),
    )
