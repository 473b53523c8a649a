"""Signing in and up: one address for both, what each policy of sign-up admits, and what a token is worth afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI

from braingranary.accounts import audit, directory
from braingranary.accounts.audit import Actor
from braingranary.accounts.passwords import Passwords
from braingranary.accounts.records import Role
from braingranary.devstack.servers.postgres import PostgresServer
from tests.serving.accounts_app import accounts_app, accounts_database, forget
from tests.serving.members import PASSWORD, identity_of, join, new_email

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def shared(postgres_server: PostgresServer) -> Iterator[tuple[str, OpenAPI]]:
    with accounts_database(postgres_server) as dsn, accounts_app(dsn) as app:
        yield dsn, app


@pytest.fixture
def dsn(shared: tuple[str, OpenAPI]) -> str:
    forget(shared[0])
    return shared[0]


@pytest.fixture
def app(shared: tuple[str, OpenAPI], dsn: str) -> OpenAPI:
    return shared[1]


def sign_in(app: OpenAPI, email: str, password: str = PASSWORD, **more: str) -> Any:
    return app.test_client().post("/authorization", json={"email": email, "password": password, **more})


def me(app: OpenAPI, headers: dict[str, str]) -> Any:
    return app.test_client().get("/api/v1/account", headers=headers)


def events(app: OpenAPI) -> list[str]:
    with identity_of(app).connection() as connection:
        return [line.event for line in audit.page(connection, limit=100)][::-1]


def test_an_unknown_address_registers_and_a_known_one_signs_in(app: OpenAPI) -> None:
    first = sign_in(app, "Some.One@Example.org")
    assert first.status_code == 200
    assert list(first.get_json()) == ["accessToken"]
    assert first.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in first.headers
    second = sign_in(app, "some.one@example.org")
    tokens = {answer.get_json()["accessToken"] for answer in (first, second)}
    assert len(tokens) == 2
    for token in tokens:
        for headers in ({"auth-token": token}, {"Authorization": f"Bearer {token}"}):
            answer = me(app, headers)
            assert answer.get_json()["email"] == "some.one@example.org"
            assert answer.get_json()["role"] == "reader"
    assert events(app) == ["sign_up", "sign_in"]


def test_a_form_signs_in_as_json_does(app: OpenAPI) -> None:
    sent = {"email": "a@example.org", "password": "1234567890"}
    for _ in range(2):
        assert list(app.test_client().post("/authorization", data=sent).get_json()) == ["accessToken"]


def test_a_wrong_password_is_refused_as_a_problem_and_noted_without_the_address(app: OpenAPI) -> None:
    member = join(app)
    answer = sign_in(app, member.email, "correct horse batterx")
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["code"] == "credentials_invalid"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    with identity_of(app).connection() as connection:
        line = audit.page(connection, limit=1)[0]
    assert line.event == "sign_in_failed"
    assert line.account_id is None
    assert member.email not in str(line)
    assert line.request_id == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "body",
    [
        None, [], "x", 3, {"email": "a@example.org"}, {"password": PASSWORD}, {"email": 1, "password": PASSWORD},
        {"email": "a@example.org", "password": "short"}, {"email": "a@example.org", "password": "x" * 300},
        {"email": "a@example.org", "password": "\ud800" * 12}, {"email": "nobody", "password": PASSWORD},
        {"email": "a@example.org", "password": "a@example.org"}, {"email": "a@example.org", "password": [PASSWORD]},
        {"email": "a@example.org", "password": PASSWORD, "role": "admin"},
    ],
)  # fmt: skip
def test_what_cannot_be_credentials_is_refused_and_registers_nobody(app: OpenAPI, body: Any) -> None:
    answer = app.test_client().post("/authorization", json=body)
    assert answer.status_code == 400
    assert "correct horse" not in answer.text
    with identity_of(app).connection() as connection:
        assert directory.page(connection, after=-1, limit=10) == []


def test_a_body_nested_without_end_is_refused(app: OpenAPI) -> None:
    answer = app.test_client().post("/authorization", data="[" * 60_000, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize("sign_up", ["closed", "invitation"])
def test_where_sign_up_is_not_open_an_unknown_address_looks_like_a_wrong_password(dsn: str, sign_up: str) -> None:
    with accounts_app(dsn, sign_up=sign_up) as app:
        member = join(app)
        unknown = sign_in(app, new_email())
        wrong = sign_in(app, member.email, "correct horse batterx")
        forged = sign_in(app, new_email(), invitation="x" * 43)
        for answer in (unknown, wrong, forged):
            assert answer.status_code == 401
            assert {**answer.get_json(), "request_id": ""} == {**unknown.get_json(), "request_id": ""}
        assert sign_in(app, member.email).status_code == 200


def test_an_invitation_registers_one_account_with_its_role(dsn: str) -> None:
    with accounts_app(dsn, sign_up="invitation") as app:
        with identity_of(app).connection() as connection:
            made, ended = (
                directory.invite(connection, Actor(), role=Role.OPERATOR, lifetime=timedelta(hours=hours))
                for hours in (1, -1)
            )
        member = join(app)
        # A known address signs in and leaves the invitation for the one it was meant for.
        assert sign_in(app, member.email, invitation=made).status_code == 200
        assert sign_in(app, new_email(), invitation=ended).status_code == 401
        token = sign_in(app, new_email(), invitation=made).get_json()["accessToken"]
        assert me(app, {"auth-token": token}).get_json()["role"] == "operator"
        assert sign_in(app, new_email(), invitation=made).status_code == 401


def test_an_address_registered_by_eight_at_once_becomes_one_account(app: OpenAPI) -> None:
    email = new_email()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: sign_in(app, email).status_code, range(8)))
    # Some may be told that too many passwords are being checked; none fails otherwise.
    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    with identity_of(app).connection() as connection:
        assert len(directory.page(connection, after=-1, limit=10)) == 1


def test_a_password_under_older_parameters_is_hashed_anew_when_it_is_used(app: OpenAPI) -> None:
    member, identity = join(app), identity_of(app)
    with identity.connection() as connection:
        old = Passwords(at_once=1, memory_kib=64, passes=1).hash(PASSWORD)
        directory.set_password(connection, Actor(), member.account_id, old)
    assert sign_in(app, member.email).status_code == 200
    with identity.connection() as connection:
        known = directory.by_id(connection, member.account_id)
    assert known is not None
    assert known.password_hash != old
    assert not identity.sign_in_service.passwords.outdated(known.password_hash)
    assert sign_in(app, member.email).status_code == 200


def test_signing_out_voids_this_token_and_no_other(app: OpenAPI) -> None:
    email = new_email()
    first, second = ({"auth-token": sign_in(app, email).get_json()["accessToken"]} for _ in range(2))
    answer = app.test_client().delete("/authorization", headers=first)
    assert (answer.status_code, answer.data) == (204, b"")
    assert me(app, first).get_json()["code"] == "token_invalid"
    assert me(app, second).status_code == 200
    assert app.test_client().delete("/authorization", headers=first).status_code == 401
    # An old token that still comes along does not keep its owner out.
    assert app.test_client().post(
        "/authorization", json={"email": email, "password": PASSWORD}, headers=first
    ).status_code == 200  # fmt: skip


def test_two_different_tokens_are_refused(app: OpenAPI) -> None:
    one, other = join(app), join(app)
    both = {**one.headers, "Authorization": f"Bearer {other.token}"}
    assert me(app, both).status_code == 401
    assert me(app, {**one.headers, "Authorization": f"Bearer {one.token}"}).status_code == 200
