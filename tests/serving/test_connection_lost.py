"""Connections to the catalogue that end under a statement or in the pool: one 503 at most, the next request works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from flask import Flask

from braingranary.settings import ServingSettings
from serving.auth.policies import Access, access
from serving.extensions import services
from tests.serving.serving_site import WAIT_S, ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

POOL = 4
ADDRESSES = ("/", f"/api/v1/series/{synthetic.uid(1)}", "/api/v1/series?limit=3&count=1", "/api/v1/collections")
END_ALL = """
    SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'braingranary-serving'
"""


@pytest.fixture
def app(site: ServingSite) -> Iterator[Flask]:
    """The application with views whose connection ends, or whose statement takes too long."""
    serving = {**site.serving, "pool_max": POOL, "pool_timeout_s": WAIT_S}
    app = site.app(serving=ServingSettings.model_validate(serving))

    @app.route("/lost", methods=["GET", "POST"])
    @access(Access.PUBLIC)
    def lost() -> str:
        with services().catalog() as connection:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)")
        return ""

    @app.get("/slow")
    @access(Access.PUBLIC)
    def slow() -> str:
        with services().catalog(statement_timeout_ms=20) as connection:
            connection.execute("SELECT pg_sleep(60)")
        return ""

    yield app
    app.extensions["granary"].close()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_connection_lost_under_a_statement_is_503_and_the_next_request_works(app: Flask, method: str) -> None:
    client = app.test_client()
    answer = client.open("/lost", method=method)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "catalog_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert [client.get(address).status_code for address in ADDRESSES] == [200] * len(ADDRESSES)


def test_statement_that_takes_too_long_is_504_and_keeps_its_connection(app: Flask) -> None:
    client = app.test_client()
    assert (client.get("/slow").status_code, client.get("/slow").get_json()["code"]) == (504, "catalog_timeout")
    assert client.get(ADDRESSES[1]).status_code == 200


def test_connections_that_ended_in_the_pool_are_replaced_before_they_are_lent(app: Flask, site: ServingSite) -> None:
    with ExitStack() as held:
        for _ in range(POOL):
            held.enter_context(app.extensions["granary"].catalog())
    with psycopg.connect(site.dsn, autocommit=True) as operator:
        assert operator.execute(END_ALL).fetchall() == [(POOL,)]
    client = app.test_client()
    assert [client.get(address).status_code for address in ADDRESSES] == [200] * len(ADDRESSES)
