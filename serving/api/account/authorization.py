"""`/authorization`: an e-mail address and a password in, an access token out; and back again.

One address for both as the predecessors' users know it: a known e-mail address signs in, an unknown one registers where
sign-up is open. JSON or a form. No cookie is ever set, so no other site can act in somebody's name.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, SecretStr, ValidationError

from braingranary.accounts import directory, emails
from braingranary.accounts.emails import EMAIL_CHARACTERS_MAX
from braingranary.accounts.passwords import PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN
from serving.api.schemas import NoParameters, Parameters, Problem
from serving.auth.identity import identity
from serving.auth.limits import limits
from serving.auth.policies import Access, Rate, access, current_account, current_actor, current_claims
from serving.extensions import services
from serving.http import problems
from serving.http.responses import unkept

Password = Annotated[
    SecretStr,
    Field(
        # Counted before normalization, which may make a text longer or shorter; the true bounds are checked after it.
        max_length=4 * PASSWORD_CHARACTERS_MAX,
        description=f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters, of any kind",
    ),
]


class Credentials(Parameters):
    """Who wants in."""

    email: Annotated[str, Field(min_length=3, max_length=EMAIL_CHARACTERS_MAX)]
    password: Password
    invitation: Annotated[SecretStr, Field(min_length=1, max_length=100)] | None = None


class AccessToken(BaseModel):
    """A token to send as `auth-token` or as `Authorization: Bearer`."""

    accessToken: str  # noqa: N815 - the name that the predecessors' users know


TAG: Final = Tag(name="accounts", description="Signing in, one's own account, and all of them for administrators.")
_SCHEMA: Final[dict[str, Any]] = Credentials.model_json_schema()
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {kind: {"schema": _SCHEMA} for kind in ("application/json", "application/x-www-form-urlencoded")},
}
api = APIBlueprint("authorization", __name__, abp_tags=[TAG])


@api.post(
    "/authorization",
    summary="Sign in, or up",
    responses={"200": AccessToken, "401": Problem},
    openapi_extensions={"requestBody": _BODY},
)
@access(Access.PUBLIC, rate=Rate.LOGIN)
def sign_in(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """A token for an account. An unknown e-mail address registers where sign-up is open, or with an invitation."""
    try:
        sent = Credentials.model_validate(request.get_json(silent=True) if request.is_json else request.form.to_dict())
    except ValidationError as error:
        return problems.invalid(error)
    entered = identity().sign_in_service.sign_in(
        current_actor(),
        email=emails.normalized(sent.email),
        password=sent.password.get_secret_value(),
        invitation=sent.invitation.get_secret_value() if sent.invitation else None,
    )
    limits().forgive_login()
    return token_answer(entered.account_id, entered.generation)


@api.delete("/authorization", summary="Sign out", responses={"204": None})
@access(Access.READER)
def sign_out(query: NoParameters) -> Response:  # noqa: ARG001 - as above
    """Void the token that this request was sent with."""
    with services().accounts() as connection:
        directory.revoke_token(connection, current_actor(), current_claims())
    return nothing()


def token_answer(account_id: int, generation: int) -> Response:
    """A new token as the answer."""
    token = identity().tokens.issue(account_id=account_id, generation=generation)
    return unkept(jsonify(AccessToken(accessToken=token).model_dump()))


def nothing() -> Response:
    """Done, and there is nothing to tell."""
    response = unkept(Response(status=HTTPStatus.NO_CONTENT))
    del response.headers["Content-Type"]
    return response


def own_id() -> int:
    """Number of the account that asks; only where an account is required."""
    account = current_account()
    assert account is not None  # noqa: S101 - the view's policy says so
    return account.account_id
