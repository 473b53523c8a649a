"""`/api/v1/facets`: how many series have each value of each filter, under the same filters as the list."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from braingranary.catalog import search
from serving import schemas
from serving.answers import answer
from serving.policies import Access, access
from serving.resources.series import TAG, wanted
from serving.services import services

api = APIBlueprint("facets", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get("/facets", summary="Counts of every filter value", responses={"200": schemas.FacetPage})
@access(Access.PUBLIC)
def facets(query: schemas.FacetParameters) -> Response:
    """Counts as of the last load; a facet's own filter does not narrow it, so that its other values can be chosen."""
    with services().catalog() as connection:
        found = search.facets_of(connection, wanted(query), values_max=query.values)
    return answer(schemas.FacetPage.model_validate(found, from_attributes=True))
