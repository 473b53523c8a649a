"""Case 25: guessing passwords. Limited; unknown and known addresses cost the same; the owner is not locked out."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

import pytest
from argon2 import PasswordHasher
from flask_openapi3.openapi import OpenAPI

from braingranary.accounts import passwords
from tests.serving.accounts_app import accounts_app
from tests.serving.members import PASSWORD, identity_of, join, new_email

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

ATTEMPTS: Final = int(os.environ.get("GRANARY_TEST_LOGINS", "300"))  # the full case: 10000
ATTACKER: Final = "203.0.113.7"
PER_MINUTE: Final = 30
PAIRS: Final = 15


class CountingHasher(PasswordHasher):
    """Counts the hashes that are really computed."""

    computed = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.computed += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the name is argon2's
        self.computed += 1
        return super().verify(hash, password)


def sign_in(app: OpenAPI, email: str, password: str, address: str) -> Any:
    sent = {"email": email, "password": password}
    return app.test_client().post("/authorization", json=sent, environ_overrides={"REMOTE_ADDR": address})


def counting(app: OpenAPI, monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    hasher = CountingHasher(time_cost=passwords.PASSES, memory_cost=passwords.MEMORY_KIB, parallelism=passwords.LANES)
    monkeypatch.setattr(identity_of(app).sign_in_service.passwords, "_hasher", hasher)
    return hasher


def test_case_25_brute_force_is_limited_and_leaves_the_owner_in_peace(
    postgres_dsn: str, limits_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = {"store": limits_store, "login": f"{PER_MINUTE}/minute", "login_email": "10/minute"}
    with accounts_app(postgres_dsn, limits=bounds, sign_up="closed") as app:
        owner, hasher = join(app), counting(app, monkeypatch)
        targets = [owner.email if number % 2 else new_email() for number in range(ATTEMPTS)]
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            statuses = Counter(
                pool.map(lambda email: sign_in(app, email, "not the password", ATTACKER).status_code, targets)
            )
        seconds = time.monotonic() - started
        windows = int(seconds // 60) + 2  # the clock's minutes that the attack touched at most
        assert set(statuses) <= {401, 429, 503}
        assert 0 < statuses[401] <= PER_MINUTE * windows
        # What is refused costs no hash: the attack does not slow the others down.
        assert hasher.computed <= PER_MINUTE * windows
        assert sign_in(app, owner.email, PASSWORD, "198.51.100.20").status_code == 200
        # From many addresses at once, too.
        for number in range(20):
            sign_in(app, owner.email, "not the password", f"203.0.114.{number}")
        assert sign_in(app, owner.email, PASSWORD, "198.51.100.21").status_code == 200
    print(
        f"case 25 brute force: attempts={ATTEMPTS} admitted={statuses[401]} "
        f"admitted_per_s={statuses[401] / max(seconds, 60):.2f} refused_per_s={statuses[429] / seconds:.0f}"
    )


def test_case_25_unknown_addresses_cost_what_known_ones_cost(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with accounts_app(postgres_dsn, sign_up="closed") as app:
        owner, hasher = join(app), counting(app, monkeypatch)
        times: dict[bool, list[float]] = {True: [], False: []}
        hashes: dict[bool, int] = {True: 0, False: 0}
        bodies = set()
        for number in range(2 * PAIRS):
            known = number % 2 == 0
            before, started = hasher.computed, time.perf_counter()
            answer = sign_in(app, owner.email if known else new_email(), "not the password", ATTACKER)
            times[known].append((time.perf_counter() - started) * 1000)
            hashes[known] += hasher.computed - before
            body = answer.get_json()
            bodies.add((answer.status_code, body["code"], body["detail"], len(answer.data)))
        assert len(bodies) == 1
        assert hashes[True] == hashes[False] == PAIRS
    known_ms, unknown_ms = statistics.median(times[True]), statistics.median(times[False])
    print(
        f"case 25 equal timing: known_ms={known_ms:.1f} unknown_ms={unknown_ms:.1f} "
        f"difference_ms={abs(known_ms - unknown_ms):.1f}"
    )
