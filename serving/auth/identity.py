"""Accounts as the front door uses them: a pool of its own, token keys, password checks.

Why a second pool: the catalogue is read as a role that cannot see accounts, and accounts are kept by a role that cannot
see the catalogue. Made before a worker forks, opened after it. Goes in: the settings. Comes out: connections in the
role granary_accounts. Fails with TransientFailure(ACCOUNTS_UNAVAILABLE) when none can be had in time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from flask import current_app
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from braingranary.accounts.passwords import Passwords
from braingranary.accounts.pseudonyms import Pseudonyms
from braingranary.accounts.sign_in import SignInService
from braingranary.accounts.tokens import Tokens
from braingranary.errors import Code, TransientFailure
from braingranary.settings import AccountsSettings, key_bytes

_STATEMENT_TIMEOUT_MS: Final = 5_000
_WAITING_MAX: Final = 64


class Identity:
    """What telling callers from each other stands on; one for a process."""

    def __init__(self, settings: AccountsSettings) -> None:
        self.tokens = Tokens.from_settings(settings)
        self.pseudonyms = Pseudonyms(key_bytes(settings.hash_key))
        self.sign_in_service = SignInService(
            connect=self.connection,
            passwords=Passwords(at_once=settings.hashing_max),
            pseudonyms=self.pseudonyms,
            sign_up=settings.sign_up,
        )
        self._lock = threading.Lock()
        self._opened = False
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            settings.dsn.get_secret_value(),
            min_size=1,
            max_size=settings.pool_max,
            max_waiting=_WAITING_MAX,
            timeout=settings.pool_timeout_s,
            kwargs={
                "autocommit": True,
                "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}",
                "application_name": "braingranary-accounts",
            },
            check=ConnectionPool.check_connection,
            open=False,
        )

    def open(self) -> None:
        """Open what may not cross a fork; more than once is fine."""
        if self._opened:
            return
        with self._lock:
            if not self._opened:
                self._pool.open(wait=False)
                self._opened = True

    def close(self) -> None:
        """Close the pool; for the end of a process or a test."""
        self._pool.close()

    @contextmanager
    def reading(self, *, wait_s: float | None = None) -> Iterator[psycopg.Connection[Any]]:
        """A connection for one statement, without a transaction around it."""
        self.open()
        try:
            with self._pool.connection(timeout=wait_s) as connection:
                yield connection
        except (PoolTimeout, TooManyRequests) as error:
            raise TransientFailure(Code.ACCOUNTS_UNAVAILABLE, "no connection to the accounts is free") from error
        except psycopg.OperationalError as error:
            raise TransientFailure(Code.ACCOUNTS_UNAVAILABLE, f"PostgreSQL: {type(error).__name__}") from error

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection inside one transaction that reads and writes, committed at the end."""
        with self.reading() as connection, connection.transaction():
            yield connection

    def ready(self, timeout_s: float) -> None:
        """Raise unless the accounts answer."""
        with self.reading(wait_s=timeout_s) as connection:
            connection.execute("SELECT 1 FROM account.account LIMIT 1")


def identity() -> Identity:
    """The identity of the application that answers the current request."""
    found: Identity = current_app.extensions["granary"].identity
    return found
