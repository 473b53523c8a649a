"""`/api/v1/queries`: the predefined queries with their counts."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from braingranary.catalog.search import named_queries
from serving.api.schemas import Answer, NoParameters, QueryPath
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.search import answer_of

TAG = Tag(name="queries", description="Predefined queries: slices with or without a tumour, by plane.")
api = APIBlueprint("queries", __name__, url_prefix="/api/v1", abp_tags=[TAG])


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


@api.get("/queries", summary="Named queries", responses={"200": NamedQueryList})
@access(Access.PUBLIC)
def list_queries(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """The predefined queries in their order, with counts."""
    snapshot = services().search.current
    return answer_of(snapshot, lambda: NamedQueryList(queries=[shown(item) for item in snapshot.queries]))


@api.get("/queries/<query>", summary="One named query", responses={"200": NamedQuery})
@access(Access.PUBLIC)
def one_query(path: QueryPath, query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """One predefined query with its counts."""
    snapshot = services().search.current
    found = next(item for item in snapshot.queries if item.name == path.query)
    return answer_of(snapshot, lambda: shown(found))


def shown(item: named_queries.NamedQuery) -> NamedQuery:
    """A query with the address of its zip."""
    return NamedQuery.of(item, url=url_for("images.download", query=item.name))
