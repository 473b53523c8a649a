"""What a process keeps of the search, brought up to date by a thread of its own, so that no visitor waits for it.

Reading the columns of a million series takes seconds, once a load; until they are there again PostgreSQL finds pages
itself, which every answer takes care of. Goes in: how to get a connection. Comes out: nothing but quick answers. Where
the catalogue cannot be asked, the thread says so once and tries again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import psycopg
import structlog

from braingranary.catalog.read import series as search
from braingranary.errors import GranaryError

INTERVAL_S: Final = 2.0
"""Between two looks at whether something was loaded: one look-up of one row."""
Catalog = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

_log = structlog.get_logger(__name__)


class SearchKeeper:
    """The thread of one process."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="search-keeper", daemon=True)

    def start(self) -> None:
        """Begin; not before the process has forked."""
        self._thread.start()

    def stop(self) -> None:
        """Look no further. A reading that has begun ends with the connection or by itself, and nobody waits for it."""
        self._ended.set()

    def join(self) -> None:
        """Wait until it has stopped."""
        self._thread.join()

    def _run(self) -> None:
        failing = False
        while not self._ended.is_set():
            try:
                self._keep()
            except (GranaryError, psycopg.Error) as error:
                if not failing and not self._ended.is_set():
                    _log.warning("search_not_kept", error=type(error).__name__)
                failing = True
            else:
                failing = False
            self._ended.wait(INTERVAL_S)

    def _keep(self) -> None:
        start = time.monotonic()
        with self._catalog() as connection:
            series = search.keep(connection)
        if series is not None:
            _log.info("search_kept", series=series, seconds=round(time.monotonic() - start, 3))
