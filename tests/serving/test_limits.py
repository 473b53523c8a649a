"""Budgets of requests: by address, by account, by e-mail address; shared by processes, and kept without the store."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import valkey
from flask_openapi3.openapi import OpenAPI

from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.errors import Code, ConfigurationError
from braingranary.settings import LimitsSettings
from serving.auth.limits import Limits
from tests.serving.accounts_app import accounts_app, accounts_database
from tests.serving.members import PASSWORD, join, new_email

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    with accounts_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
def here() -> str:
    """An address of this test alone: the store is shared."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def sign_in(app: OpenAPI, address: str, email: str, password: str = PASSWORD) -> Any:
    sent = {"email": email, "password": password}
    return app.test_client().post("/authorization", json=sent, environ_overrides={"REMOTE_ADDR": address})


def describe(app: OpenAPI, address: str, headers: dict[str, str] | None = None) -> Any:
    return app.test_client().get("/api/v1/openapi.json", headers=headers, environ_overrides={"REMOTE_ADDR": address})


def test_guessing_from_one_address_ends_and_leaves_the_owner_in_peace(dsn: str, limits_store: str, here: str) -> None:
    bounds = {"store": limits_store, "login": "100/hour", "login_email": "3/hour"}
    with accounts_app(dsn, limits=bounds) as app:
        owner = join(app)
        guesses = [sign_in(app, here, owner.email, "not the password") for _ in range(5)]
        assert [answer.status_code for answer in guesses] == [401, 401, 401, 429, 429]
        assert guesses[-1].get_json()["code"] == "rate_limited"
        assert 0 < int(guesses[-1].headers["Retry-After"]) <= 3600
        # Even the right password is not tried from there any more, in whatever spelling of the address.
        assert sign_in(app, here, owner.email.upper()).status_code == 429
        assert sign_in(app, "192.0.2.1", owner.email).status_code == 200


def test_a_success_forgets_the_slips_before_it(dsn: str, limits_store: str, here: str) -> None:
    bounds = {"store": limits_store, "login": "100/hour", "login_email": "3/hour"}
    with accounts_app(dsn, limits=bounds) as app:
        owner = join(app)
        for _ in range(3):
            assert sign_in(app, here, owner.email, "not the password").status_code == 401
            assert sign_in(app, here, owner.email, "not the password").status_code == 401
            assert sign_in(app, here, owner.email).status_code == 200


def test_guessing_at_many_accounts_from_one_address_ends(dsn: str, limits_store: str, here: str) -> None:
    with accounts_app(dsn, limits={"store": limits_store, "login": "4/hour"}, sign_up="closed") as app:
        statuses = [sign_in(app, here, new_email()).status_code for _ in range(6)]
        assert statuses == [401] * 4 + [429] * 2


def test_one_subscriber_of_ipv6_is_one_address(dsn: str, limits_store: str) -> None:
    network = f"2001:db8:{secrets.randbelow(65536):x}:{secrets.randbelow(65536):x}"
    with accounts_app(dsn, limits={"store": limits_store, "login": "2/hour"}, sign_up="closed") as app:
        statuses = [sign_in(app, f"{network}::{host}", new_email()).status_code for host in (1, 2, 3)]
        assert statuses == [401, 401, 429]
        assert sign_in(app, "2001:db8:ffff:ffff::1", new_email()).status_code == 401


def test_budgets_count_over_processes(dsn: str, limits_store: str, here: str) -> None:
    bounds = {"store": limits_store, "general": "3/hour"}
    with accounts_app(dsn, limits=bounds) as one, accounts_app(dsn, limits=bounds) as other:
        statuses = [describe(app, here).status_code for app in (one, other, one, other)]
    assert statuses == [200, 200, 200, 429]


def test_an_account_is_counted_wherever_it_calls_from(dsn: str, limits_store: str) -> None:
    with accounts_app(dsn, limits={"store": limits_store, "general": "3/hour"}) as app:
        member, other = join(app), join(app)
        addresses = [f"198.51.100.{secrets.randbelow(50) * 5 + number}" for number in range(4)]
        statuses = [describe(app, address, member.headers).status_code for address in addresses]
        assert statuses == [200, 200, 200, 429]
        assert describe(app, addresses[3], other.headers).status_code == 200


def test_guessing_tokens_is_counted(dsn: str, limits_store: str, here: str) -> None:
    with accounts_app(dsn, limits={"store": limits_store, "general": "2/hour"}) as app:
        statuses = [describe(app, here, {"auth-token": "guess"}).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_addresses_that_no_route_matches_are_counted(dsn: str, limits_store: str, here: str) -> None:
    with accounts_app(dsn, limits={"store": limits_store, "general": "2/hour"}) as app:
        client, environ = app.test_client(), {"REMOTE_ADDR": here}
        statuses = [client.get(f"/nothing-{number}", environ_overrides=environ).status_code for number in range(3)]
    assert statuses == [404, 404, 429]


def test_health_has_a_budget_of_its_own(dsn: str, limits_store: str, here: str) -> None:
    with accounts_app(dsn, limits={"store": limits_store, "general": "1/hour", "health": "5/hour"}) as app:
        client, environ = app.test_client(), {"REMOTE_ADDR": here}
        statuses = [client.get("/healthz", environ_overrides=environ).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]


def test_a_store_that_is_away_leaves_each_process_counting_for_itself(dsn: str, here: str) -> None:
    with accounts_app(dsn, limits={"store": "valkey://127.0.0.1:9/0", "login_email": "2/hour"}) as app:
        owner = join(app)
        statuses = [sign_in(app, here, owner.email, "not the password").status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        assert sign_in(app, "192.0.2.7", owner.email).status_code == 200
        parts = app.test_client().get("/readyz").get_json()["parts"]
        assert parts["limits"] == "degraded"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[" * 60_000, "application/json"),
        (b'{"email": "' + b"\\ud800" * 20 + b'"}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"a=1&" * 5_000, "application/x-www-form-urlencoded"),
        (b"email=" + b"x" * 60_000, "application/x-www-form-urlencoded"),
        (b"--x\r\n" * 3_000, "multipart/form-data; boundary=x"),
    ],
)
def test_no_body_makes_the_limits_forget(dsn: str, limits_store: str, here: str, body: bytes, kind: str) -> None:
    with accounts_app(dsn, limits={"store": limits_store, "login": "2/hour", "login_email": "100/hour"}) as app:
        statuses = [
            app.test_client()
            .post("/authorization", data=body, content_type=kind, environ_overrides={"REMOTE_ADDR": here})
            .status_code
            for _ in range(3)
        ]
        assert statuses[2] == 429
        assert set(statuses[:2]) <= {400, 413}


def test_the_store_holds_no_address_of_a_person(dsn: str, limits_store: str, here: str) -> None:
    with accounts_app(dsn, limits={"store": limits_store, "login_email": "9/hour"}) as app:
        email = new_email()
        sign_in(app, here, email)
        sign_in(app, here, email, "not the password")
    with valkey.Valkey.from_url(limits_store) as store:
        keys = b"\n".join(store.keys("*")).decode()
    assert "e-mail:login" in keys
    assert email not in keys


@pytest.mark.parametrize(
    "wrong", [{"store": "mysql://x"}, {"store": "nowhere"}, {"login": "often"}, {"login_email": "3"}]
)
def test_settings_that_cannot_be_read_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Limits(LimitsSettings.model_validate({"store": "memory://", **wrong}))
    assert caught.value.code is Code.CONFIGURATION_INVALID
