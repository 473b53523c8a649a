"""`/api/v1/facets`: how many series have each value of each filter, under the same filters as the list."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from braingranary.catalog.read import series as search
from serving.api import schemas
from serving.api.series import TAG, wanted
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import answer_json

api = APIBlueprint("facets", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get("/facets", summary="Counts of every filter value", responses={"200": schemas.FacetPage})
@access(Access.PUBLIC)
def facets(query: schemas.FacetParameters) -> Response:
    """Counts as of the last load; a facet's own filter does not narrow it, so that its other values can be chosen."""
    with services().catalog() as connection:
        told = search.facets_told(connection, wanted(query), values_max=query.values)
    return answer_json(told.encode())
