"""A new connection made ready for its first question, before anybody waits for the answer.

Why: a server process that PostgreSQL has just started knows no table yet, and the first statement that joins ten of
them takes some twenty milliseconds longer than the next. Goes in: a connection in autocommit. Comes out: the same, with
the dearest statements prepared or planned once. A catalogue that is not there yet is left to those who ask it.
"""

from __future__ import annotations

import psycopg

from braingranary.catalog.db import Connection
from braingranary.catalog.read import downloads
from braingranary.catalog.read import series_json as series_told
from braingranary.catalog.read.series_json import Addresses

_NOBODY = "0.0"  # a UID that no series has


def warm(connection: Connection) -> None:
    """Plan what is asked most and what is planned longest; raises psycopg.OperationalError for a lost connection."""
    nowhere = Addresses(series="", slices="")
    try:
        series_told.detail_told(connection, _NOBODY, nowhere)
        series_told.page_told(connection, [-1], nowhere)
        downloads.planned_only(connection)
    except psycopg.ProgrammingError:
        return
