"""Accounts as the front door uses them: a pool of its own, token keys, password checks.

Why a second pool: the catalogue is read as a role that cannot see accounts, and accounts are kept by a role that cannot
see the catalogue. Made before a worker forks, opened after it. Goes in: the settings. Comes out: connections in the
role granary_accounts. Fails with TransientFailure(ACCOUNTS_UNAVAILABLE) when none can be had in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import psycopg
from flask import current_app

from braingranary.accounts.passwords import Passwords
from braingranary.accounts.pseudonyms import Pseudonyms
from braingranary.accounts.sign_in import SignInService
from braingranary.accounts.tokens import Tokens
from braingranary.errors import Code
from braingranary.settings import AccountsSettings, key_bytes
from serving.pool import Pool

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
        self._pool = Pool(
            settings.dsn.get_secret_value(),
            name="braingranary-accounts",
            options=f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}",
            size_max=settings.pool_max,
            waiting_max=_WAITING_MAX,
            timeout_s=settings.pool_timeout_s,
            unavailable=Code.ACCOUNTS_UNAVAILABLE,
            timed_out=Code.ACCOUNTS_UNAVAILABLE,
        )

    def open(self) -> None:
        """Begin to connect, after a fork; more than once is fine."""
        self._pool.open()

    def close(self) -> None:
        """Close the pool; for the end of a process or a test."""
        self._pool.close()

    def reading(self, *, wait_s: float | None = None) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection for one statement, without a transaction around it."""
        return self._pool.connection(wait_s)

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
