"""A step's connection to the catalogue: made for one step, closed with it, and its errors without addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from braingranary.errors import Code, TransientFailure
from braingranary.orchestration.connections import catalog_dsn

CONNECT_TIMEOUT_S: Final = 10


@contextmanager
def catalog(application: str = "granary-load") -> Iterator[psycopg.Connection[Any]]:
    """A connection to the catalogue under the name `application`; raises TransientFailure(CATALOG_UNAVAILABLE)."""
    try:
        connection = psycopg.connect(catalog_dsn(), connect_timeout=CONNECT_TIMEOUT_S, application_name=application)
    except psycopg.OperationalError as error:
        # psycopg's own message names the address and the role, which a log need not show.
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "no connection to the catalogue") from error
    try:
        yield connection
    finally:
        connection.close()
