"""Every kind of caller and every route, for tests that hold all of them to their policies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from flask import Flask

from braingranary.accounts import directory
from braingranary.accounts.audit import Actor
from braingranary.accounts.records import Role
from serving.auth.policies import SIGN_IN, Access, Policy, Rate, policy_of
from tests.serving.members import Member, identity_of, join

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Caller(StrEnum):
    """Who calls."""

    ANONYMOUS = "anonymous"
    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"
    DISABLED = "disabled account"
    REVOKED = "revoked token"
    EXPIRED = "expired token"
    FORGED = "forged token"


RANK = {Caller.READER: 0, Caller.OPERATOR: 1, Caller.ADMIN: 2}
NEEDED = {Access.READER: 0, Access.OPERATOR: 1, Access.ADMIN: 2}


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one view."""

    endpoint: str
    rule: str
    method: str
    policy: Policy | None


def routes(app: Flask) -> list[Route]:
    """All there are."""
    return [
        Route(
            endpoint=rule.endpoint, rule=rule.rule, method=method, policy=policy_of(app.view_functions[rule.endpoint])
        )
        for rule in app.url_map.iter_rules()
        for method in METHODS
        if method in (rule.methods or ())
    ]


def path_of(app: Flask, route: Route, value: str = "1") -> str:
    """An address of the route with `value` wherever it takes one."""
    rule = next(rule for rule in app.url_map.iter_rules(route.endpoint) if rule.rule == route.rule)
    values = dict.fromkeys(rule.arguments, value)
    with app.test_request_context():
        return app.url_map.bind("localhost").build(route.endpoint, values, method=route.method)


def verdict(policy: Policy, caller: Caller) -> tuple[int, str] | None:
    """Status and code that a policy answers a caller with; None where it lets them through."""
    if policy.rate is Rate.HEALTH or policy == SIGN_IN:
        return None
    if caller in {Caller.DISABLED, Caller.REVOKED, Caller.EXPIRED, Caller.FORGED}:
        return 401, "token_invalid"
    if policy.least is Access.PUBLIC:
        return None
    if caller is Caller.ANONYMOUS:
        return 401, "account_required"
    return None if RANK[caller] >= NEEDED[policy.least] else (403, "role_insufficient")


class Headers:
    """What a caller sends; a fresh token for each call, because some calls void the one they came with."""

    def __init__(self, app: Flask, caller: Caller) -> None:
        self._identity = identity_of(app)
        self._caller = caller
        roles = {Caller.OPERATOR: Role.OPERATOR, Caller.READER: Role.READER}
        # The bad tokens are an administrator's: were they taken, every route would open.
        self.member: Member | None = None if caller is Caller.ANONYMOUS else join(app, roles.get(caller, Role.ADMIN))

    def fresh(self) -> dict[str, str]:
        """Headers of one call."""
        if self.member is None:
            return {}
        with self._identity.connection() as connection:
            if self._caller is Caller.DISABLED:
                directory.set_disabled(connection, Actor(), self.member.account_id, disabled=True)
            known = directory.by_id(connection, self.member.account_id)
            assert known is not None
            lifetime = timedelta(seconds=-60) if self._caller is Caller.EXPIRED else None
            token = self._identity.tokens.issue(
                account_id=known.account_id, generation=known.token_generation, lifetime=lifetime
            )
            if self._caller is Caller.REVOKED:
                directory.revoke_token(connection, Actor(), self._identity.tokens.read(token))
        if self._caller is Caller.FORGED:
            head, payload, signature = token.split(".")
            token = f"{head}.{payload}.{signature[::-1]}"
        return {"auth-token": token}


def with_policy(app: Flask) -> Iterator[tuple[Route, Policy]]:
    """Every route with its policy; AssertionError for one without."""
    for route in routes(app):
        assert route.policy is not None, f"{route.method} {route.rule} has no policy"
        yield route, route.policy
