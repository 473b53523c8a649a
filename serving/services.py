"""What the routes stand on: a pool of connections to the catalogue and the object store.

Made before a worker forks, opened after it: neither a socket to PostgreSQL nor one to S3 survives a fork. Goes in: the
settings. Comes out: short read-only transactions, and the store. Fails with TransientFailure(CATALOG_UNAVAILABLE) when
no connection can be had in time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from flask import current_app
from psycopg_pool import ConnectionPool, PoolTimeout

from braingranary.errors import Code, TransientFailure
from braingranary.settings import CatalogSettings, ServingSettings, StoreSettings
from braingranary.storage.store import ObjectStore


class Services:
    """The outside world of one process of the front door."""

    def __init__(self, *, catalog: CatalogSettings, store: StoreSettings, serving: ServingSettings) -> None:
        self.serving = serving
        self._store_settings = store
        self._lock = threading.Lock()
        self._store: ObjectStore | None = None
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            catalog.dsn.get_secret_value(),
            min_size=1,
            max_size=serving.pool_max,
            timeout=serving.pool_timeout_s,
            kwargs={
                # A statement prepared once is planned for no value in particular, and optional filters need the values.
                "prepare_threshold": None,
                "options": f"-c statement_timeout={serving.statement_timeout_ms} -c default_transaction_read_only=on",
                "application_name": "braingranary-serving",
            },
            check=ConnectionPool.check_connection,
            open=False,
        )
        self._opened = False

    def open(self) -> None:
        """Open what may not cross a fork; more than once is fine."""
        with self._lock:
            if not self._opened:
                self._pool.open(wait=False)
                self._store = ObjectStore.from_settings(self._store_settings)
                self._opened = True

    def close(self) -> None:
        """Close the pool; for the end of a process or a test."""
        self._pool.close()

    @property
    def store(self) -> ObjectStore:
        """The object store."""
        self.open()
        assert self._store is not None  # noqa: S101 - open() made it
        return self._store

    @contextmanager
    def catalog(
        self, *, statement_timeout_ms: int | None = None, wait_s: float | None = None
    ) -> Iterator[psycopg.Connection[Any]]:
        """A connection inside one read-only transaction."""
        self.open()
        try:
            with self._pool.connection(timeout=wait_s) as connection:
                if statement_timeout_ms is not None:
                    connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(statement_timeout_ms)])
                yield connection
        except PoolTimeout as error:
            raise TransientFailure(Code.CATALOG_UNAVAILABLE, "no connection to the catalogue is free") from error
        except psycopg.OperationalError as error:
            raise TransientFailure(Code.CATALOG_UNAVAILABLE, f"PostgreSQL: {type(error).__name__}") from error


def services() -> Services:
    """The services of the application that answers the current request."""
    return cast(Services, current_app.extensions["granary"])
