"""`/api/v1/facets`: how many series have each value of each filter, under the same filters as the list."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from braingranary.catalog.search.store import Snapshot
from serving.api import schemas
from serving.api.series import TAG, wanted
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.search import answer_of

api = APIBlueprint("facets", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get("/facets", summary="Counts of every filter value", responses={"200": schemas.FacetPage})
@access(Access.PUBLIC)
def facets(query: schemas.FacetParameters) -> Response:
    """Counts of one state of the catalogue; a facet's own filter does not narrow it, so that others can be chosen."""
    snapshot = services().search.current
    return answer_of(snapshot, lambda: counted(snapshot, query, values_max=query.values))


def counted(snapshot: Snapshot, query: schemas.FilterParameters, *, values_max: int) -> schemas.FacetPage:
    """The facets under the filters of a request, of each at most `values_max` values."""
    selection = snapshot.select(wanted(query))
    return schemas.FacetPage.model_validate(
        {"count": selection.count(), "facets": snapshot.facets(selection, values_max=values_max)}
    )
