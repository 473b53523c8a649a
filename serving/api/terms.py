"""`/api/v1/terms`: terms of use that some collections ask for, and their acceptance by an account."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from braingranary.accounts import terms as acceptances
from braingranary.catalog.read import terms as restrictions
from braingranary.errors import Code, RejectedInput
from serving.api import schemas_downloads as schemas
from serving.api.authorization import own_id
from serving.api.schemas import NoParameters, Problem
from serving.api.schemas_downloads import TermsPath, TermsVersion
from serving.auth.policies import Access, access, current_account, current_actor
from serving.extensions import services
from serving.http.responses import NO_STORE, answer

api = APIBlueprint(
    "terms",
    __name__,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="terms of use", description="What an account must accept before it sees some pixels.")],
)


@api.get("/terms", summary="Terms of use in force", responses={"200": schemas.TermsList})
@access(Access.PUBLIC)
def all_terms(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Which terms there are, for which collections, and which of them the caller has accepted."""
    return answer(schemas.TermsList(terms=_known()), cache_control=NO_STORE)


@api.get("/terms/<name>", summary="Terms of use", responses={"200": schemas.Terms, "404": Problem})
@access(Access.PUBLIC)
def one_terms(path: TermsPath, query: NoParameters) -> Response:  # noqa: ARG001 - as above
    """Where their text stands, and for which collections they are asked."""
    return answer(_named(path.name), cache_control=NO_STORE)


@api.post("/terms/<name>/acceptance", summary="Accept terms of use", responses={"200": schemas.Terms, "404": Problem})
@access(Access.READER)
def accept(path: TermsPath, body: TermsVersion) -> Response:
    """Recorded for the account: who, which version, when. Naming the version says which one was read."""
    found = _named(path.name)
    if body.version != found.version:
        raise RejectedInput(Code.REQUEST_INVALID, f"version: the one in force is {found.version}")
    with services().accounts() as connection:
        acceptances.accept(connection, current_actor(), account_id=own_id(), name=found.name, version=found.version)
    return answer(_named(path.name), cache_control=NO_STORE)


def _named(name: str) -> schemas.Terms:
    for item in _known():
        if item.name == name:
            return item
    raise RejectedInput(Code.NOT_FOUND, "there are no such terms in force")


def _known() -> list[schemas.Terms]:
    with services().catalog() as connection:
        in_force = restrictions.terms_in_force(connection)
        restricted = restrictions.restrictions(connection)
    account, dates = current_account(), {}
    if account is not None:
        with services().accounts() as connection:
            dates = acceptances.accepted(connection, account.account_id)
    return [
        schemas.Terms(
            name=item.name,
            version=item.version,
            title=item.title,
            url=item.url,
            collections=sorted({found.collection for found in restricted if found.terms == item.name}),
            accepted_at=dates.get((item.name, item.version)),
            acceptance_url=url_for("terms.accept", name=item.name),
        )
        for item in in_force
    ]
