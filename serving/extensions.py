"""What the routes stand on: a pool of connections to the catalogue, the object store, and places for long work.

Made before a worker forks, opened after it: neither a socket to PostgreSQL nor one to S3 survives a fork. Goes in: the
settings. Comes out: read-only connections, and the store. Fails with TransientFailure: CATALOG_UNAVAILABLE when no
connection can be had in time, and as ConnectionLost when one ends under a statement; CATALOG_TIMEOUT when a statement
takes longer than it may.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

import psycopg
import structlog
from flask import current_app
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from braingranary.catalog.read.pool_warm_up import warm
from braingranary.errors import Code, TransientFailure
from braingranary.settings import CatalogSettings, ServingSettings, StoreSettings
from braingranary.storage.store import ObjectStore
from serving.detect.service import Detection
from serving.detect.weights import Registry, WeightsSource
from serving.downloads.plan_cache import KeptPlans
from serving.http import metrics
from serving.http.concurrency import Slots
from serving.http.logs import request_lines
from serving.http.readiness import Readiness
from serving.search_keeper import SearchKeeper

if TYPE_CHECKING:
    from serving.auth.identity import Identity


_REGISTRY_WAIT_S: Final = 2.0
"""How long the first detection waits for the catalogue to name the model, before the shipped one stands in."""


_TRUSTED_S: Final = 0.1
"""How long a connection that has just answered is taken to be alive; if it is not, see `Reading`."""

_log = structlog.get_logger(__name__)


class Services:
    """The outside world of one process of the front door."""

    def __init__(
        self, *, catalog: CatalogSettings, store: StoreSettings, serving: ServingSettings, identity: Identity
    ) -> None:
        self.serving = serving
        self.identity = identity
        self.downloads = Slots(serving.downloads_max)
        self.plans = KeptPlans(serving.plans_kept_s)
        self.uploads = Slots(serving.uploads_max)
        registry = Registry(catalog=lambda: self.catalog(wait_s=_REGISTRY_WAIT_S), store=lambda: self.store)
        self.detection = Detection(serving, WeightsSource(serving.detect_weights, registry))
        self.readiness = Readiness()
        self.readiness["database"] = self._ask_catalog
        self.readiness["accounts"] = identity.ready
        self.readiness["object_store"] = lambda _timeout_s: self.store.check()
        if self.detection.enabled:
            self.readiness["model"] = self.detection.ask
        self._search = SearchKeeper(self.catalog)
        self._store_settings = store
        self._lock = threading.Lock()
        self._store: ObjectStore | None = None
        self._pool: ConnectionPool[Pooled] = ConnectionPool(
            catalog.dsn.get_secret_value(),
            connection_class=Pooled,
            min_size=1,
            max_size=serving.pool_max,
            max_waiting=serving.pool_waiting_max,
            timeout=serving.pool_timeout_s,
            kwargs={
                # One statement needs no BEGIN and COMMIT around it: that is two of three round trips.
                "autocommit": True,
                # A statement prepared once is planned for no value in particular, and optional filters need the values:
                # only those are prepared that say so.
                "prepare_threshold": sys.maxsize,
                # Times that PostgreSQL writes into JSON itself are in UTC as all others. Without jit: what it takes to
                # be dear, as the plan of a large download, it would compile for longer than that runs.
                "options": f"-c statement_timeout={serving.statement_timeout_ms} -c default_transaction_read_only=on "
                "-c timezone=UTC -c jit=off",
                "application_name": "braingranary-serving",
            },
            configure=warm,
            check=_check_idle,
            open=False,
        )
        self._opened = False

    def open(self) -> None:
        """Open what may not cross a fork; more than once is fine."""
        if self._opened:
            return
        with self._lock:
            if not self._opened:
                self._pool.open(wait=False)
                self.identity.open()
                self._store = ObjectStore.from_settings(self._store_settings)
                self._opened = True

    def serve(self) -> None:
        """Open everything, keep the search and start the detecting processes: for a worker, not for each test."""
        request_lines.start()
        self.open()
        self._search.start()
        self.detection.open()

    def close(self) -> None:
        """Close the pools; for the end of a process or a test."""
        self._search.stop()
        self.detection.close()
        self._pool.close()
        self.identity.close()
        request_lines.stop()

    def accounts(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection in the role granary_accounts, inside one transaction that reads and writes."""
        return self.identity.connection()

    @property
    def store(self) -> ObjectStore:
        """The object store."""
        self.open()
        assert self._store is not None  # noqa: S101 - open() made it
        return self._store

    def catalog(
        self, *, statement_timeout_ms: int | None = None, wait_s: float | None = None
    ) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection that reads; with a time of its own for its statements, inside one transaction."""
        self.open()
        if statement_timeout_ms is None:
            return Reading(self._pool, wait_s)
        return self._patient(statement_timeout_ms, wait_s)

    @contextmanager
    def _patient(self, statement_timeout_ms: int, wait_s: float | None) -> Iterator[psycopg.Connection[Any]]:
        with Reading(self._pool, wait_s) as connection, connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(statement_timeout_ms)])
            yield connection

    def _ask_catalog(self, timeout_s: float) -> None:
        with self.catalog(wait_s=timeout_s) as connection:
            connection.execute("SELECT 1")


class Pooled(psycopg.Connection[Any]):
    """A connection that knows since when nobody uses it."""

    idle_since = 0.0


class ConnectionLost(TransientFailure):
    """A connection that ended under its statement; the next one that is lent is newer than that."""


class Reading(AbstractContextManager[psycopg.Connection[Any]]):
    """A connection of the pool for the time of a block, whatever fails in it as one of our errors.

    Where one is lost, its elders may be too: the pool lets go of all that it has, so that none of them is lent.
    Not as a generator, nor by the pool's own: both together cost a request as much as one of its small statements.
    """

    __slots__ = ("_connection", "_pool", "_wait_s")

    def __init__(self, pool: ConnectionPool[Pooled], wait_s: float | None) -> None:
        self._pool = pool
        self._wait_s = wait_s

    def __enter__(self) -> psycopg.Connection[Any]:
        asked = time.monotonic()
        try:
            self._connection = self._pool.getconn(self._wait_s)
        except psycopg.OperationalError as error:
            raise _failure(error) from error
        metrics.pool_waited(time.monotonic() - asked)
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        lost = isinstance(error, psycopg.OperationalError) and self._connection.closed
        if lost:
            self._pool.drain()
        self._connection.idle_since = time.monotonic()
        self._pool.putconn(self._connection)  # which rolls back what was left open, and replaces what is lost
        if lost:
            _log.warning("catalog_connection_lost", error=type(error).__name__)
            raise ConnectionLost(Code.CATALOG_UNAVAILABLE, "a connection to the catalogue was lost") from error
        if isinstance(error, psycopg.OperationalError):
            raise _failure(error) from error


def _failure(error: psycopg.OperationalError) -> TransientFailure:
    if isinstance(error, (PoolTimeout, TooManyRequests)):
        metrics.pool_refused()
        return TransientFailure(Code.CATALOG_UNAVAILABLE, "no connection to the catalogue is free")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return TransientFailure(Code.CATALOG_TIMEOUT, "a statement took longer than it may")
    return TransientFailure(Code.CATALOG_UNAVAILABLE, f"PostgreSQL: {type(error).__name__}")


def _check_idle(connection: Pooled) -> None:
    """`check_connection` of one that has lain idle for a while: asking the system hands the interpreter to others."""
    if time.monotonic() - connection.idle_since > _TRUSTED_S:
        check_connection(connection)


def check_connection(connection: psycopg.Connection[Any]) -> None:
    """Raise psycopg.OperationalError for a connection whose server has gone, without asking a living one.

    An idle connection has nothing to read; when it has, that is the end of it, or a notice, and asking tells which.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        connection.execute("")


def services() -> Services:
    """The services of the application that answers the current request."""
    return cast(Services, current_app.extensions["granary"])
