"""Case 27: every route, as every role, with somebody else's number. Nothing of theirs is told, nothing is changed."""

from __future__ import annotations

from typing import Any, Final

import psycopg
import pytest

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.serving.callers import Caller, Headers, path_of, with_policy
from tests.serving.members import PASSWORD, Member, join
from tests.serving.serving_site import fill_catalogue

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

CALLERS: Final = (Caller.ANONYMOUS, Caller.READER, Caller.OPERATOR)
BODIES: Final[tuple[dict[str, Any], ...]] = (
    {"role": "admin"},
    {"disabled": True},
    {"role": "reader", "disabled": False},
    {"password": PASSWORD, "new_password": "a stolen password"},
    {"password": "not my password"},
)


def row_of(dsn: str, member: Member) -> Any:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT * FROM account.account WHERE account_id = %s", [member.account_id]).fetchone()


def test_case_27_no_route_gives_away_or_changes_what_is_somebody_elses(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(2))
    app = site.app()
    leaks, calls = [], 0
    try:
        victim = join(app)
        before = row_of(postgres_dsn, victim)
        for caller in CALLERS:
            headers, client = Headers(app, caller), app.test_client()
            for route, _ in with_policy(app):
                path = path_of(app, route, str(victim.account_id))
                named = "account_id" in route.rule
                attempts: list[dict[str, Any]] = [{"query_string": {"account_id": str(victim.account_id)}}]
                if route.method in {"POST", "PUT", "PATCH"}:
                    attempts += [{"json": body | more} for body in BODIES for more in ({}, {"email": victim.email})]
                for attempt in attempts:
                    answer = client.open(path, method=route.method, headers=headers.fresh(), **attempt)
                    calls += 1
                    told = victim.email in answer.text
                    if told or (named and answer.status_code not in {401, 403, 404}):
                        leaks.append((caller, route.method, route.rule, answer.status_code))
                    answer.close()
            assert row_of(postgres_dsn, victim) == before, f"{caller} changed somebody else's account"
        # The same calls do show and change it for those who may: the test looks at the right things.
        admin, client = Headers(app, Caller.ADMIN), app.test_client()
        path = f"/api/v1/accounts/{victim.account_id}"
        assert victim.email in client.get(path, headers=admin.fresh()).text
        client.patch(path, json=BODIES[0], headers=admin.fresh())
        assert row_of(postgres_dsn, victim) != before
    finally:
        app.extensions["granary"].close()
    assert leaks == []
    print(f"case 27 foreign objects: calls={calls} leaks={len(leaks)}")
