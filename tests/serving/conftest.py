"""One furnished house for all tests of the front door: they only read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.storage.store import ObjectStore
from tests.serving.house import House, furnish


@pytest.fixture(scope="session")
def house(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[House]:
    """A catalogue of seven series with packs that hold real JPEGs."""
    database = Database(name=f"serving_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    settings = object_server.settings(bucket=f"serving-{secrets.token_hex(8)}")
    store = ObjectStore.from_settings(settings)
    store.ensure_bucket()
    yield furnish(postgres_server.dsn(database), store, settings)
    postgres_server.drop_database(database)


@pytest.fixture
def client(house: House) -> Iterator[FlaskClient]:
    """The application's test client over the real database and the real store."""
    app = house.app()
    with app.test_client() as client:
        yield client
    app.extensions["granary"].close()
