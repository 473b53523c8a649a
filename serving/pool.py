"""Connections to PostgreSQL as one process of the front door shares them: made before a fork, opened after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from braingranary.errors import Code, TransientFailure
from serving.http import metrics


class Pool:
    """A pool in which each connection is checked before it is lent."""

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        options: str,
        size_max: int,
        waiting_max: int,
        timeout_s: float,
        unavailable: Code,
        timed_out: Code,
        **connect: Any,
    ) -> None:
        """A pool that is not open yet.

        Args:
            dsn: where PostgreSQL is and who asks.
            name: by which PostgreSQL lists its connections.
            options: of each session, as `-c name=value`.
            size_max: connections at most.
            waiting_max: callers that may wait for one; the next is refused at once.
            timeout_s: how long they wait.
            unavailable: code of the failure of a caller who gets none, or whose connection is lost.
            timed_out: code of the failure of a statement that takes too long.
            connect: further parameters of each connection.
        """
        self._unavailable = unavailable
        self._timed_out = timed_out
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=size_max,
            max_waiting=waiting_max,
            timeout=timeout_s,
            # One statement needs no BEGIN and COMMIT around it: that is two of three round trips.
            kwargs={"autocommit": True, "options": options, "application_name": name, **connect},
            check=ConnectionPool.check_connection,
            open=False,
        )

    def open(self) -> None:
        """Begin to connect; more than once is fine."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection; for the end of a process or a test."""
        self._pool.close()

    @contextmanager
    def connection(self, wait_s: float | None = None) -> Iterator[psycopg.Connection[Any]]:
        """A connection, without a transaction around it.

        Args:
            wait_s: how long to wait for a free one instead of the pool's time.

        Raises:
            TransientFailure: with one of the pool's two codes.
        """
        asked = time.monotonic()
        try:
            self.open()
            with self._pool.connection(wait_s) as connection:
                metrics.POOL_WAIT_SECONDS.observe(time.monotonic() - asked)
                yield connection
        except (PoolTimeout, TooManyRequests) as error:
            metrics.POOL_REFUSED.inc()
            raise TransientFailure(self._unavailable, "no connection to PostgreSQL is free") from error
        except psycopg.errors.QueryCanceled as error:
            raise TransientFailure(self._timed_out, "a statement took longer than it may") from error
        except psycopg.OperationalError as error:
            raise TransientFailure(self._unavailable, f"PostgreSQL: {type(error).__name__}") from error
