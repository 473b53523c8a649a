"""A site that belongs to one test module, which may change what is in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import psycopg

from braingranary.catalog.db import Connection
from braingranary.catalog.read import downloads
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.storage.store import ObjectStore
from serving.downloads.plan import Plan
from serving.downloads.stream import Download
from tests.serving.serving_site import ServingSite, fill_catalogue


@contextmanager
def own_site(postgres: PostgresServer, objects: ObjectServer, **content: Any) -> Iterator[ServingSite]:
    """A catalogue and a bucket of their own, filled; both are gone afterwards."""
    database = Database(name=f"own_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres.ensure_database(database)
    settings = objects.settings(bucket=f"own-{secrets.token_hex(8)}")
    store = ObjectStore.from_settings(settings)
    store.ensure_bucket()
    try:
        yield fill_catalogue(postgres.dsn(database), store, settings, **content)
    finally:
        postgres.drop_database(database)
        store.delete_many([item.key for item in store.list()])
        store.client.delete_bucket(Bucket=store.bucket)


@contextmanager
def planned(dsn: str, query: str = "withtumor_ax") -> Iterator[tuple[Plan, Connection]]:
    """The plan of a named query and a connection for its slices."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield Plan(downloads.packs_of_named_query(connection, query)), connection


@contextmanager
def reading(plan: Plan, store: ObjectStore, connection: Connection) -> Iterator[Download]:
    """A reader of a plan."""

    def ask() -> AbstractContextManager[Connection]:
        return nullcontext(connection)

    reader = Download(plan, store, ask)
    try:
        yield reader
    finally:
        reader.close()
