"""One's own account and those of all: what its owner may, what an administrator may, and how soon it holds."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from braingranary.accounts.records import Role
from braingranary.devstack.servers.postgres import PostgresServer
from tests.serving.accounts_app import accounts_app, accounts_database, forget
from tests.serving.members import PASSWORD, Member, identity_of, join

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def shared(postgres_server: PostgresServer) -> Iterator[tuple[str, OpenAPI]]:
    with accounts_database(postgres_server) as dsn, accounts_app(dsn) as app:
        yield dsn, app


@pytest.fixture
def app(shared: tuple[str, OpenAPI]) -> OpenAPI:
    forget(shared[0])
    return shared[1]


@pytest.fixture
def client(app: OpenAPI) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def admin(app: OpenAPI) -> Member:
    return join(app, Role.ADMIN)


def alive(client: FlaskClient, member: Member) -> bool:
    return client.get("/api/v1/account", headers=member.headers).status_code == 200


def test_another_password_voids_all_tokens_and_gives_a_new_one(app: OpenAPI, client: FlaskClient) -> None:
    member, path = join(app), "/api/v1/account/password"
    wrong = client.put(path, json={"password": "not my password", "new_password": "0123456789"}, headers=member.headers)
    assert (wrong.status_code, wrong.get_json()["code"]) == (400, "password_invalid")
    weak = client.put(path, json={"password": PASSWORD, "new_password": member.email}, headers=member.headers)
    assert (weak.status_code, weak.get_json()["code"]) == (400, "password_invalid")
    assert alive(client, member)
    answer = client.put(path, json={"password": PASSWORD, "new_password": "0123456789"}, headers=member.headers)
    assert not alive(client, member)
    assert client.get("/api/v1/account", headers={"auth-token": answer.get_json()["accessToken"]}).status_code == 200
    for password, status in ((PASSWORD, 401), ("0123456789", 200)):
        sent = {"email": member.email, "password": password}
        assert client.post("/authorization", json=sent).status_code == status


def test_signing_out_everywhere_voids_every_token(app: OpenAPI, client: FlaskClient, admin: Member) -> None:
    one, other = join(app), join(app)
    assert client.delete("/api/v1/account/tokens", headers=one.headers).status_code == 204
    assert not alive(client, one)
    assert client.delete(f"/api/v1/accounts/{other.account_id}/tokens", headers=admin.headers).status_code == 204
    assert not alive(client, other)
    assert alive(client, admin)


def test_a_removed_account_is_gone_and_its_trail_stays(app: OpenAPI, client: FlaskClient, admin: Member) -> None:
    member = join(app)
    path = "/api/v1/account/removal"
    assert client.post(path, json={"password": "not my password"}, headers=member.headers).status_code == 400
    assert alive(client, member)
    assert client.post(path, json={"password": PASSWORD}, headers=member.headers).status_code == 204
    assert not alive(client, member)
    assert client.get(f"/api/v1/accounts/{member.account_id}", headers=admin.headers).status_code == 404
    trail = client.get(f"/api/v1/audit?account_id={member.account_id}", headers=admin.headers).get_json()["events"]
    assert [line["event"] for line in trail] == ["account_removed", "password_refused", "sign_up"]
    assert client.post(path, json={"password": PASSWORD}, headers=admin.headers).status_code == 409


def test_a_role_holds_at_once_for_tokens_that_are_out(app: OpenAPI, client: FlaskClient, admin: Member) -> None:
    member = join(app)
    path = f"/api/v1/accounts/{member.account_id}"
    assert client.get("/api/v1/accounts", headers=member.headers).status_code == 403
    assert client.patch(path, json={"role": "admin"}, headers=admin.headers).get_json()["role"] == "admin"
    assert client.get("/api/v1/accounts", headers=member.headers).status_code == 200
    client.patch(path, json={"role": "reader"}, headers=admin.headers)
    assert client.get("/api/v1/accounts", headers=member.headers).status_code == 403


def test_a_disabled_account_is_out_at_once_and_begins_anew(app: OpenAPI, client: FlaskClient, admin: Member) -> None:
    member = join(app)
    path = f"/api/v1/accounts/{member.account_id}"
    sent = {"email": member.email, "password": PASSWORD}
    assert client.patch(path, json={"disabled": True}, headers=admin.headers).get_json()["disabled_at"]
    assert not alive(client, member)
    assert client.post("/authorization", json=sent).status_code == 401
    assert client.patch(path, json={"disabled": False}, headers=admin.headers).get_json()["disabled_at"] is None
    assert not alive(client, member)
    assert client.post("/authorization", json=sent).status_code == 200


def test_an_administrator_cannot_lock_themselves_out(client: FlaskClient, admin: Member) -> None:
    for change in ({"role": "reader"}, {"disabled": True}):
        answer = client.patch(f"/api/v1/accounts/{admin.account_id}", json=change, headers=admin.headers)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "own_account")
    assert alive(client, admin)


@pytest.mark.parametrize("body", [None, {}, {"role": "owner"}, {"disabled": "perhaps"}, {"email": "a@example.org"}])
def test_a_change_that_is_none_is_refused(client: FlaskClient, admin: Member, body: object) -> None:
    assert client.patch("/api/v1/accounts/999", json=body, headers=admin.headers).status_code == 400


def test_accounts_and_trail_are_paged_by_key(app: OpenAPI, client: FlaskClient, admin: Member) -> None:
    for _ in range(4):
        join(app)
    for path, name, key in (("accounts", "accounts", "account_id"), ("audit", "events", "audit_id")):
        found: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"?limit=2{'&cursor=' + cursor if cursor else ''}"
            page = client.get(f"/api/v1/{path}{query}", headers=admin.headers).get_json()
            assert len(page[name]) <= 2
            found += [item[key] for item in page[name]]
            cursor = page["next"]
        assert len(found) == len(set(found)) == 5
    assert found == sorted(found, reverse=True)
    named = client.get("/api/v1/audit?event=sign_up&limit=1", headers=admin.headers).get_json()
    assert named["events"][0]["event"] == "sign_up"


def test_an_invitation_of_an_administrator_gives_its_role(client: FlaskClient, admin: Member) -> None:
    invitation = client.post("/api/v1/invitations", json={"role": "operator"}, headers=admin.headers).get_json()
    sent = {"email": "new@example.org", "password": PASSWORD, **invitation}
    token = client.post("/authorization", json=sent).get_json()["accessToken"]
    assert client.get("/api/v1/account", headers={"auth-token": token}).get_json()["role"] == "operator"


def test_the_trail_cannot_be_changed(app: OpenAPI) -> None:
    join(app)
    for statement in ("UPDATE account.audit SET event = 'x'", "DELETE FROM account.audit", "TRUNCATE account.audit"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), identity_of(app).connection() as connection:
            connection.execute(statement)
