"""One site for all tests of the front door: they only read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.storage.store import ObjectStore
from tests.serving.serving_site import ServingSite, fill_catalogue


@pytest.fixture(scope="session")
def site(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[ServingSite]:
    """A catalogue of seven series with packs that hold real JPEGs."""
    database = Database(name=f"serving_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    settings = object_server.settings(bucket=f"serving-{secrets.token_hex(8)}")
    store = ObjectStore.from_settings(settings)
    store.ensure_bucket()
    yield fill_catalogue(postgres_server.dsn(database), store, settings)
    postgres_server.drop_database(database)


@pytest.fixture
def client(site: ServingSite) -> Iterator[FlaskClient]:
    """The application's test client over the real database and the real store."""
    app = site.app()
    with app.test_client() as client:
        yield client
    app.extensions["granary"].close()
