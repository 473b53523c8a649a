"""Plans of downloads are kept for a while: who asks again gets the same, and nobody gets more than they may have."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest
from flask.testing import FlaskClient

from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.settings import ServingSettings
from serving.downloads.plan import Plan
from serving.downloads.plan_cache import PlanCache
from tests.serving.house import House
from tests.serving.own_house import own_house

pytestmark = pytest.mark.stack
ZIP = "/api/v1/downloads.zip?query=withtumor_ax"
PATIENCE_S = 120


@pytest.fixture
def own(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[House]:
    with own_house(postgres_server, object_server, numbers=range(3)) as house:
        yield house


@contextmanager
def client(house: House, kept_s: float) -> Iterator[FlaskClient]:
    app = house.app(serving=ServingSettings.model_validate({**house.serving, "plans_kept_s": kept_s}))
    with app.test_client() as client:
        yield client
    app.extensions["granary"].close()


def change(house: House, statement: LiteralString) -> None:
    with psycopg.connect(house.dsn, autocommit=True) as connection:
        connection.execute(statement)


def test_load_shows_in_a_download_once_its_plan_is_not_kept_any_more(own: House) -> None:
    with client(own, kept_s=1.0) as asking:
        first = asking.get(ZIP, buffered=True)
        change(own, "UPDATE series SET license_name = 'CC0'")
        changed = time.monotonic()
        while (now := asking.get(ZIP, buffered=True)).headers["ETag"] == first.headers["ETag"]:
            assert time.monotonic() - changed < PATIENCE_S
            time.sleep(0.1)
    assert b"CC0" in now.data
    assert b"CC0" not in first.data


def test_terms_that_come_into_force_hold_for_plans_that_are_kept(own: House) -> None:
    with client(own, kept_s=600) as asking:
        first = asking.get(ZIP, buffered=True)
        change(
            own,
            "UPDATE series SET license_name = 'CC0';"
            "INSERT INTO restricted_collection (archive, collection, terms) VALUES ('tcia', NULL, 'hcp-open-access')",
        )
        assert asking.get(ZIP).status_code == 403
        assert asking.get(f"{ZIP}&restricted=omit", buffered=True).headers["ETag"] != first.headers["ETag"]
        change(own, "DELETE FROM restricted_collection WHERE archive = 'tcia'")
        again = asking.get(ZIP, buffered=True)
    assert (again.status_code, again.headers["ETag"]) == (200, first.headers["ETag"])  # it was kept all the time


def test_plan_is_made_once_for_all_who_ask_at_the_same_time() -> None:
    plans, started = PlanCache(60), threading.Barrier(4)
    made: list[Plan] = []
    found: list[Plan] = []

    def make() -> Plan:
        time.sleep(0.05)
        made.append(Plan(()))
        return made[-1]

    def ask() -> None:
        started.wait()
        found.append(plans.plan("question", make))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert {id(plan) for plan in found} == {id(made[0])}


def test_plan_that_was_forgotten_is_made_anew_and_the_old_one_can_still_be_read() -> None:
    plans = PlanCache(60)
    first = plans.plan("question", lambda: Plan(()))
    assert plans.plan("question", lambda: Plan(())) is first
    plans.forget(first)
    assert plans.plan("question", lambda: Plan(())) is not first
    assert list(first.walk()) == []


def test_no_plan_is_kept_where_none_shall_be() -> None:
    plans = PlanCache(0)
    assert plans.plan("question", lambda: Plan(())) is not plans.plan("question", lambda: Plan(()))
