"""The search of one process: a thread that keeps its snapshot up to date, and answers that name the snapshot's state.

No visitor waits for a snapshot to be built: until a newer one is finished, answers come from the one before. Where the
catalogue cannot be asked, the thread says so once in the log and tries again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg
import structlog
from flask import Response, request
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel

from braingranary.catalog.search.snapshot import layout
from braingranary.catalog.search.store import Snapshot, SnapshotStore
from braingranary.errors import GranaryError
from serving.http.responses import REVALIDATED

INTERVAL_S: Final = 2.0
"""Between two looks at whether the catalogue has changed."""
STATE_HEADER: Final = "Catalogue-State"

_log = structlog.get_logger(__name__)


class SearchRefresher:
    """The thread that brings the snapshot of a process up to date."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="search-refresher", daemon=True)

    def start(self) -> None:
        """Begin; not before the process has forked."""
        self._thread.start()

    def stop(self) -> None:
        """Look no further; a snapshot that is being built is given up with the connection."""
        self._ended.set()

    def _run(self) -> None:
        failing = False
        while not self._ended.is_set():
            start = time.monotonic()
            try:
                if self._store.refresh():
                    seconds = round(time.monotonic() - start, 3)
                    _log.info("search_refreshed", series=len(self._store.current.frame), seconds=seconds)
            except (GranaryError, psycopg.Error, OSError) as error:
                if not failing and not self._ended.is_set():
                    _log.warning("search_not_refreshed", error=type(error).__name__)
                failing = True
            else:
                failing = False
            self._ended.wait(INTERVAL_S)


def default_folder(dsn: str) -> Path:
    """Where the processes of one user of this host share the snapshots of a catalogue."""
    address = {name: value for name, value in conninfo_to_dict(dsn).items() if name in {"host", "port", "dbname"}}
    name = hashlib.sha256(repr(sorted(address.items())).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"braingranary-search-{os.geteuid()}" / name


def answer_of(snapshot: Snapshot, make: Callable[[], BaseModel]) -> Response:
    """The JSON of what `make` finds in a snapshot, or 304 where the caller has it: then nothing is looked for."""
    response = state_response(snapshot, "application/json")
    if response.status_code == 200:
        response.set_data(make().model_dump_json())
    return response


def state_response(snapshot: Snapshot, media_type: str) -> Response:
    """A response without its body, or 304, for what follows from a snapshot and the address alone."""
    asked = (snapshot.state, layout(), media_type, request.script_root, request.full_path)
    response = Response(content_type=media_type)
    response.set_etag(hashlib.sha256(repr(asked).encode()).hexdigest()[:40])
    response.headers["Cache-Control"] = REVALIDATED
    response.headers[STATE_HEADER] = snapshot.state
    response.vary.add("Accept")
    response.make_conditional(request)
    return response
