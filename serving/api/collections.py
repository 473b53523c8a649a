"""`/api/v1/collections`: what there is by collection, with licences and what to cite."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.read import browse
from braingranary.errors import Code, RejectedInput
from serving.api.schemas import Answer, Id, NoParameters, PageParameters, Parameters
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import after_of, answer, key_of, page_of

TAG = Tag(name="collections", description="Named sets of studies, as the archives publish them.")
api = APIBlueprint("collections", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class CollectionPath(Parameters):
    """A collection by the id that lists give."""

    collection_id: Id


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


@api.get("/collections", summary="Collections by name", responses={"200": CollectionPage})
@access(Access.PUBLIC)
def list_collections(query: PageParameters) -> Response:
    """Every collection with its counts, licences and citations as of the last load."""
    with services().catalog() as connection:
        found = browse.collections(connection, after=after_of(query.cursor), limit=query.limit + 1)
    page, more = page_of(found, query.limit, lambda item: item.collection_id)
    return answer(CollectionPage(collections=[shown(item) for item in page], next=more))


@api.get("/collections/<collection_id>", summary="One collection", responses={"200": Collection})
@access(Access.PUBLIC)
def one_collection(path: CollectionPath, query: NoParameters) -> Response:  # noqa: ARG001 - so that others are refused
    """A collection with its counts, licences and citations."""
    with services().catalog() as connection:
        found = browse.collections(connection, collection_id=key_of(path.collection_id), limit=1)
    if not found:
        raise RejectedInput(Code.NOT_FOUND, "there is no such collection")
    return answer(shown(found[0]))


def shown(item: browse.CollectionItem) -> Collection:
    """A collection with its addresses."""
    return Collection.model_validate(
        {
            **asdict(item),
            "id": str(item.collection_id),
            "url": url_for("collections.one_collection", collection_id=item.collection_id),
            "series_url": url_for("series.list_series", collection=item.name),
        }
    )
