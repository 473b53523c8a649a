"""Every route carries a policy, and every kind of caller is answered as the policy says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask_openapi3.openapi import OpenAPI

from serving.auth.policies import Access, Policy, Rate, access, policy_of
from tests.serving.callers import Caller, Headers, path_of, routes, verdict, with_policy
from tests.serving.serving_site import ServingSite

pytestmark = pytest.mark.stack

CODES = {"account_required", "token_invalid", "role_insufficient"}
# What only some may do whatever is changed around it.
KEPT = {
    ("POST", "/authorization"): Policy(least=Access.PUBLIC, rate=Rate.LOGIN),
    ("DELETE", "/authorization"): Policy(least=Access.READER, rate=Rate.GENERAL),
    ("PUT", "/api/v1/account/password"): Policy(least=Access.READER, rate=Rate.LOGIN),
    ("GET", "/api/v1/accounts"): Policy(least=Access.ADMIN, rate=Rate.GENERAL),
    ("PATCH", "/api/v1/accounts/<account_id>"): Policy(least=Access.ADMIN, rate=Rate.GENERAL),
    ("POST", "/api/v1/invitations"): Policy(least=Access.ADMIN, rate=Rate.GENERAL),
    ("GET", "/api/v1/audit"): Policy(least=Access.ADMIN, rate=Rate.GENERAL),
    ("POST", "/detect"): Policy(least=Access.READER, rate=Rate.DETECT),
    ("POST", "/api/v1/terms/<name>/acceptance"): Policy(least=Access.READER, rate=Rate.GENERAL),
    ("GET", "/Images/<query>"): Policy(least=Access.PUBLIC, rate=Rate.DOWNLOAD),
    ("GET", "/healthz"): Policy(least=Access.PUBLIC, rate=Rate.HEALTH),
}


@pytest.fixture(scope="module")
def app(site: ServingSite) -> Iterator[OpenAPI]:
    app = site.app()
    yield app
    app.extensions["granary"].close()


def test_every_route_carries_a_policy(app: OpenAPI) -> None:
    assert len(list(with_policy(app))) > 20


def test_policies_that_must_stay_as_they_are(app: OpenAPI) -> None:
    found = {(route.method, route.rule): route.policy for route in routes(app)}
    assert {key: found[key] for key in KEPT} == KEPT


@pytest.mark.parametrize("caller", list(Caller))
def test_every_route_answers_a_caller_as_its_policy_says(app: OpenAPI, caller: Caller) -> None:
    headers, client = Headers(app, caller), app.test_client()
    wrong = []
    for route, policy in with_policy(app):
        answer = client.open(path_of(app, route), method=route.method, headers=headers.fresh())
        body = answer.get_json() if answer.mimetype == "application/problem+json" and answer.data else {}
        code = body.get("code", "")
        expected = verdict(policy, caller)
        if expected is None:
            right = code not in CODES
        elif route.method == "HEAD":
            right = answer.status_code == expected[0]
        else:
            right = (answer.status_code, code) == expected
        if not right:
            wrong.append((route.method, route.rule, answer.status_code, code, expected))
        answer.close()
    assert wrong == []


def test_a_view_without_a_policy_answers_nobody(site: ServingSite) -> None:
    app = site.app()
    try:
        forgotten = access(Access.ADMIN)(lambda: "secret")
        app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
        app.add_url_rule("/kept", "kept", forgotten)
        assert policy_of(app.view_functions["forgotten"]) is None
        for caller in (Caller.ANONYMOUS, Caller.ADMIN):
            answer = app.test_client().get("/forgotten", headers=Headers(app, caller).fresh())
            assert answer.status_code == 500
            assert "secret" not in answer.text
        assert app.test_client().get("/kept", headers=Headers(app, Caller.ADMIN).fresh()).text == "secret"
    finally:
        app.extensions["granary"].close()


def test_a_stranger_learns_nothing_about_parameters(app: OpenAPI) -> None:
    client = app.test_client()
    for path in ("/api/v1/audit?event=NO!&colour=red", "/api/v1/accounts/not-a-number"):
        assert client.get(path).get_json()["code"] == "account_required"
    assert client.get("/no/such/route").status_code == 404
