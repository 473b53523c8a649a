"""What the routes share in one process: connection pool, object store, detections, and limits of concurrent work.

`Services` is made before gunicorn forks and opened in each worker: no socket survives a fork.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any, Final, cast

import psycopg
from flask import current_app

from braingranary.catalog.search.store import SnapshotStore
from braingranary.errors import Code
from braingranary.settings import CatalogSettings, ServingSettings, StoreSettings
from braingranary.storage.store import ObjectStore
from serving.auth.identity import Identity
from serving.detect.service import Detection
from serving.detect.weights import Registry, WeightsSource
from serving.http.concurrency import ConcurrencyLimit
from serving.http.pipeline_metrics import PipelineMetrics
from serving.http.readiness import Readiness
from serving.pool import Pool
from serving.search import SearchRefresher, default_folder

_METRICS_WAIT_S: Final = 1.0
_REGISTRY_WAIT_S: Final = 2.0
"""How long the first detection waits for the catalogue to name the model, before the shipped one stands in."""


class Services:
    """The outside world of one process of the front door."""

    def __init__(
        self, *, catalog: CatalogSettings, store: StoreSettings, serving: ServingSettings, identity: Identity
    ) -> None:
        self.serving = serving
        self.identity = identity
        self.downloads = ConcurrencyLimit(serving.downloads_max)
        self.uploads = ConcurrencyLimit(serving.uploads_max)
        registry = Registry(catalog=lambda: self.catalog(wait_s=_REGISTRY_WAIT_S), store=lambda: self.store)
        self.detection = Detection(serving, WeightsSource(serving.detect_weights, registry))
        self.readiness = Readiness()
        self.readiness.add("database", self._ask_catalog)
        self.readiness.add("accounts", identity.ready)
        self.readiness.add("object_store", lambda _timeout_s: self.store.check())
        if self.detection.enabled:
            self.readiness.add("model", self.detection.ask)
        folder = serving.snapshot_folder or default_folder(catalog.dsn.get_secret_value())
        self.search = SnapshotStore(folder, self.catalog)
        self.readiness.add("search", lambda _timeout_s: self.search.check())
        self._search_refresher = SearchRefresher(self.search)
        self.pipeline_metrics = PipelineMetrics(lambda: self.catalog(wait_s=_METRICS_WAIT_S), lambda: self.store)
        self._store_settings = store
        self._pool = Pool(
            catalog.dsn.get_secret_value(),
            name="braingranary-serving",
            # Times that PostgreSQL writes into JSON itself are in UTC as all others. Without jit: what it takes to be
            # dear, as the plan of a large download, it would compile for longer than that runs.
            options=f"-c statement_timeout={serving.statement_timeout_ms} -c default_transaction_read_only=on "
            "-c timezone=UTC -c jit=off",
            size_max=serving.pool_max,
            waiting_max=serving.pool_waiting_max,
            timeout_s=serving.pool_timeout_s,
            unavailable=Code.CATALOG_UNAVAILABLE,
            timed_out=Code.CATALOG_TIMEOUT,
            # A statement prepared once is planned for no value in particular, and optional filters need the values:
            # only those are prepared that say so.
            prepare_threshold=sys.maxsize,
        )

    def open(self) -> None:
        """Open what may not cross a fork; more than once is fine."""
        self._pool.open()
        self.identity.open()
        _ = self.store  # made here rather than in the time of a first request

    def serve(self) -> None:
        """Open everything, keep the search up to date and start detecting processes: for a worker, not for tests."""
        self.open()
        self._search_refresher.start()
        self.detection.open()

    def close(self) -> None:
        """Close the pools; for the end of a process or a test."""
        self._search_refresher.stop()
        self.detection.close()
        self._pool.close()
        self.identity.close()

    def accounts(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection in the role granary_accounts, inside one transaction that reads and writes."""
        return self.identity.connection()

    @cached_property
    def store(self) -> ObjectStore:
        """The object store."""
        return ObjectStore.from_settings(self._store_settings)

    @contextmanager
    def catalog(
        self, *, statement_timeout_ms: int | None = None, wait_s: float | None = None
    ) -> Iterator[psycopg.Connection[Any]]:
        """A read-only connection of the pool, checked before it is lent.

        Args:
            statement_timeout_ms: time of each statement instead of the setting's; the block is then one transaction.
            wait_s: how long to wait for a free connection instead of the setting's.

        Raises:
            TransientFailure: CATALOG_UNAVAILABLE without a connection, or where it is lost; CATALOG_TIMEOUT.
        """
        with self._pool.connection(wait_s) as connection:
            if statement_timeout_ms is None:
                yield connection
            else:
                with connection.transaction():
                    connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(statement_timeout_ms)])
                    yield connection

    def _ask_catalog(self, timeout_s: float) -> None:
        with self.catalog(wait_s=timeout_s) as connection:
            connection.execute("SELECT 1")


def services() -> Services:
    """The services of the application that answers the current request."""
    return cast(Services, current_app.extensions["granary"])
