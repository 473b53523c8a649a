"""Who may call which view: every view names its least role, and one place holds all to it.

`@access(Access.READER)` stands directly under `@api.get(...)` and only marks the view. The mark is read before the
request is validated, so a stranger learns nothing about parameters; a view without a mark answers nobody. Each request
goes through three steps: the caller is identified, counted (`serving.auth.limits`), and held to the mark. Fails with
RejectedInput: TOKEN_INVALID or ACCOUNT_REQUIRED (401), ROLE_INSUFFICIENT (403).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

import structlog
from flask import Flask, g, request

from braingranary.accounts import audit as trail
from braingranary.accounts import directory
from braingranary.accounts.audit import Actor, Fact
from braingranary.accounts.records import Account, Role
from braingranary.accounts.tokens import Claims
from braingranary.errors import Code, GranaryError, RejectedInput, TransientFailure
from serving.auth.identity import identity

ViewT = TypeVar("ViewT", bound=Callable[..., Any])
TOKEN_HEADER: Final = "auth-token"  # noqa: S105 - the name of a header
_TOKEN: Final = "HTTP_AUTH_TOKEN"  # noqa: S105 - the same, as WSGI knows it
_MARK: Final = "__granary_policy__"
_BEARER: Final = "bearer"

_log = structlog.get_logger("serving.audit")


class Access(StrEnum):
    """The least that a caller must be."""

    PUBLIC = "public"
    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"


class Rate(StrEnum):
    """Routes that share one budget of requests, by address and by account."""

    LOGIN = "login"
    """Whatever checks a password. On a public view a token that comes along is not looked at, so that an old one never
    keeps its owner from signing in."""
    DETECT = "detect"
    DOWNLOAD = "download"
    GENERAL = "general"
    HEALTH = "health"
    """Counted in the memory of the process, and nobody is identified: probes answer when everything else is away."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is demanded of the caller of a view."""

    least: Access
    rate: Rate
    unless: Callable[[], bool] | None = None
    """What admits a caller whoever they are, such as the network that they call from."""


SIGN_IN: Final = Policy(least=Access.PUBLIC, rate=Rate.LOGIN)


def access(
    least: Access, *, rate: Rate = Rate.GENERAL, unless: Callable[[], bool] | None = None
) -> Callable[[ViewT], ViewT]:
    """Mark a view with the least role that may call it, and the budget that a call is taken from."""

    def mark(view: ViewT) -> ViewT:
        setattr(view, _MARK, Policy(least=least, rate=rate, unless=unless))
        return view

    return mark


def policy_of(view: Callable[..., Any] | None) -> Policy | None:
    """The mark of a view; None where somebody forgot it."""
    return getattr(view, _MARK, None)


def current_account() -> Account | None:
    """The account that sent this request; None for an anonymous visitor."""
    return cast("Account | None", g.get("account"))


def current_claims() -> Claims:
    """Claims of the token that came with this request; only where an account is required."""
    return cast(Claims, g.claims)


def current_actor() -> Actor:
    """Who acts in this request, for the audit trail."""
    account = current_account()
    return Actor(
        account_id=account.account_id if account else None,
        origin=identity().pseudonyms.of("address", request.remote_addr or ""),
        request_id=g.get("request_id"),
    )


def audit(event: str, **facts: Fact) -> None:
    """Record who did what. `facts` hold ids and counts: no e-mail address, no token, nothing about a patient.

    A trail that cannot be written now is logged, so that a download does not fail for it.
    """
    actor = current_actor()
    _log.info("audit", audit_event=event, account_id=actor.account_id, facts=facts)
    try:
        with identity().connection() as connection:
            trail.record(connection, actor, event, facts)
    except TransientFailure as error:
        _log.error("audit_unwritten", audit_event=event, account_id=actor.account_id, facts=facts, code=error.code)


def register(app: Flask, count: Callable[[Policy | None], None]) -> None:
    """Hold every request of `app` to the marks of its views; `count` is asked once the caller is known."""
    if app.has_static_folder:
        access(Access.PUBLIC)(app.view_functions["static"])

    @app.before_request
    def hold() -> None:
        # One hook for all three: each of its own would cost as much as what it does.
        endpoint = request.endpoint
        if endpoint is None:
            count(None)  # no route matches: that costs its sender as much as if one did
            return
        policy = policy_of(app.view_functions.get(endpoint))
        if policy is None:
            raise GranaryError(Code.INTERNAL, f"{endpoint}: a view without a policy")
        refusal = None if policy.rate is Rate.HEALTH or policy == SIGN_IN else _identify()
        count(policy)
        if refusal is not None:
            raise refusal  # told only once the request is counted, so that guessing tokens has its price
        _enforce(policy)


def _identify() -> RejectedInput | None:
    """Tell whose request it is, or why its token is refused."""
    try:
        token = _presented()
        if token is None:
            return None
        claims = identity().tokens.read(token)
        with identity().reading() as connection:
            account = directory.of_token(connection, claims)
        if account is None:
            raise RejectedInput(Code.TOKEN_INVALID, "the token is not valid (any more); sign in again")
        g.claims, g.account = claims, account
    except RejectedInput as error:
        return error
    return None


def _enforce(policy: Policy) -> None:
    if policy.least is Access.PUBLIC or (policy.unless is not None and policy.unless()):
        return
    account = current_account()
    if account is None:
        raise RejectedInput(Code.ACCOUNT_REQUIRED, f"this needs an account: POST /authorization, then {TOKEN_HEADER}")
    if not account.may(Role(policy.least)):
        raise RejectedInput(Code.ROLE_INSUFFICIENT, f"this needs the role {policy.least}")


def _presented() -> str | None:
    """The token of the request, from either header; two different ones are none."""
    environ = request.environ
    own = environ.get(_TOKEN)
    authorization = environ.get("HTTP_AUTHORIZATION")
    if authorization is not None:
        scheme, _, bearer = authorization.partition(" ")
        if scheme.lower() != _BEARER or (own is not None and own != bearer.strip()):
            raise RejectedInput(Code.TOKEN_INVALID, f"send one token, as {TOKEN_HEADER} or as Authorization: Bearer")
        own = bearer.strip()
    return own
