"""`/api/v1/terms`: terms of use that some collections ask for, and their acceptance by an account."""

from __future__ import annotations

from datetime import datetime

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.accounts import terms as acceptances
from braingranary.catalog.read import terms as restrictions
from braingranary.errors import Code, RejectedInput
from serving.api.account.authorization import own_id
from serving.api.schemas import NoParameters, Parameters, Problem
from serving.auth.policies import Access, access, current_account, current_actor
from serving.extensions import services
from serving.http.responses import NO_STORE, answer

api = APIBlueprint(
    "terms",
    __name__,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="terms of use", description="What an account must accept before it sees some pixels.")],
)


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


@api.get("/terms", summary="Terms of use in force", responses={"200": TermsList})
@access(Access.PUBLIC)
def all_terms(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Which terms there are, for which collections, and which of them the caller has accepted."""
    return answer(TermsList(terms=_known()), cache_control=NO_STORE)


@api.get("/terms/<name>", summary="Terms of use", responses={"200": Terms, "404": Problem})
@access(Access.PUBLIC)
def one_terms(path: TermsPath, query: NoParameters) -> Response:  # noqa: ARG001 - as above
    """Where their text stands, and for which collections they are asked."""
    return answer(_named(path.name), cache_control=NO_STORE)


@api.post("/terms/<name>/acceptance", summary="Accept terms of use", responses={"200": Terms, "404": Problem})
@access(Access.READER)
def accept(path: TermsPath, body: TermsVersion) -> Response:
    """Recorded for the account: who, which version, when. Naming the version says which one was read."""
    found = _named(path.name)
    if body.version != found.version:
        raise RejectedInput(Code.REQUEST_INVALID, f"version: the one in force is {found.version}")
    with services().accounts() as connection:
        acceptances.accept(connection, current_actor(), account_id=own_id(), name=found.name, version=found.version)
    return answer(_named(path.name), cache_control=NO_STORE)


def _named(name: str) -> Terms:
    for item in _known():
        if item.name == name:
            return item
    raise RejectedInput(Code.NOT_FOUND, "there are no such terms in force")


def _known() -> list[Terms]:
    with services().catalog() as connection:
        in_force = restrictions.terms_in_force(connection)
        restricted = restrictions.restrictions(connection)
    account, dates = current_account(), {}
    if account is not None:
        with services().accounts() as connection:
            dates = acceptances.accepted(connection, account.account_id)
    return [
        Terms(
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
