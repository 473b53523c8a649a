"""Connections to the catalogue that end while they are used, or lie in the pool: who only reads does not notice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle

import psycopg
import pytest
from flask import Flask

from braingranary.settings import ServingSettings
from serving import extensions as serving_services
from serving.app import create_app
from serving.auth.policies import Access, access
from serving.extensions import services
from tests.fixtures.patience import until
from tests.serving.house import WAIT_S, House
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

POOL = 4
READERS = 3
ENDINGS = 6
ADDRESSES = (
    "/",
    "/ImageList?limit=5",
    f"/api/v1/series/{synthetic.uid(1)}",
    "/api/v1/series?limit=3&count=1",
    "/api/v1/facets",
    "/api/v1/collections",
    "/api/v1/downloads?query=withtumor_ax",
)
END_ALL = """
    SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'braingranary-serving'
"""


@pytest.fixture
def called() -> Counter[str]:
    """How often each view of the tests was called."""
    return Counter()


@pytest.fixture
def app(house: House, called: Counter[str]) -> Iterator[Flask]:
    """The application with views that end their own connections."""
    serving = ServingSettings(pool_max=POOL, pool_timeout_s=WAIT_S, detect_processes=0, plans_kept_s=0)
    app = create_app(**{**house.settings, "serving": serving})

    @app.route("/ending/<int:endings>", methods=["GET", "POST"])
    @access(Access.PUBLIC)
    def ending(endings: int) -> str:
        called["ending"] += 1
        with services().catalog() as connection:
            if called["ending"] <= endings:
                connection.execute("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)")
            return str(connection.execute("SELECT 42").fetchall()[0][0])

    @app.get("/wrong")
    @access(Access.PUBLIC)
    def wrong() -> str:
        called["wrong"] += 1
        with services().catalog(statement_timeout_ms=20) as connection:
            connection.execute("SELECT pg_sleep(60)")
        return ""

    yield app
    app.extensions["granary"].close()


@pytest.fixture
def operator(house: House) -> Iterator[psycopg.Connection[tuple[int]]]:
    """A connection beside those of the application, from which these are ended."""
    with psycopg.connect(house.dsn, autocommit=True) as connection:
        yield connection


def end_all(operator: psycopg.Connection[tuple[int]]) -> int:
    """End every connection of the application; how many there were."""
    return operator.execute(END_ALL).fetchall()[0][0]


def await_answers(answered: list[int], *, each: int) -> None:
    """Return when every reader got so many more."""
    before = tuple(answered)
    until(lambda: all(now >= then + each for now, then in zip(answered, before, strict=True)), "readers hang")


def test_reading_goes_on_while_every_connection_is_ended_again_and_again(
    app: Flask, operator: psycopg.Connection[tuple[int]]
) -> None:
    first = app.test_client()
    expected = {address: first.get(address).data for address in ADDRESSES}
    answered, wrong, ended = [0] * READERS, [], threading.Event()

    def read(number: int) -> None:
        client = app.test_client()
        for address in cycle(ADDRESSES[number:] + ADDRESSES[:number]):
            if ended.is_set():
                return
            answer = client.get(address)
            if (answer.status_code, answer.data) != (200, expected[address]):
                wrong.append((address, answer.status_code))
            answered[number] += 1

    readers = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for reader in readers:
        reader.start()
    lost = 0
    try:
        for _ in range(ENDINGS):
            lost += end_all(operator)
            # No request is cut twice: those that were under way are over, and so is one that began afterwards.
            await_answers(answered, each=2)
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert lost >= ENDINGS
    print(f"reads={sum(answered)} connections ended={lost} answers other than 200=0")


def test_read_is_done_once_more_on_another_connection(app: Flask, called: Counter[str]) -> None:
    answer = app.test_client().get("/ending/1")
    assert (answer.status_code, answer.text, called["ending"]) == (200, "42", 2)


def test_read_that_loses_its_second_connection_too_is_503(app: Flask, called: Counter[str]) -> None:
    client = app.test_client()
    answer = client.get("/ending/2")
    assert (answer.status_code, answer.get_json()["code"], called["ending"]) == (503, "catalog_unavailable", 2)
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/ending/2").text == "42"


def test_request_that_may_change_something_is_not_repeated(app: Flask, called: Counter[str]) -> None:
    answer = app.test_client().post("/ending/1")
    assert (answer.status_code, answer.get_json()["code"], called["ending"]) == (503, "catalog_unavailable", 1)


def test_statement_that_fails_on_a_living_connection_is_not_repeated(app: Flask, called: Counter[str]) -> None:
    assert app.test_client().get("/wrong").status_code == 504
    assert called["wrong"] == 1


def test_all_connections_that_died_in_the_pool_cost_no_read_its_answer(
    app: Flask, operator: psycopg.Connection[tuple[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_services, "_TRUSTED_S", float("inf"))  # as if all had answered a moment ago
    with ExitStack() as held:
        for _ in range(POOL):
            held.enter_context(app.extensions["granary"].catalog())
    assert end_all(operator) == POOL
    client = app.test_client()
    assert [client.get(address).status_code for address in ADDRESSES] == [200] * len(ADDRESSES)
