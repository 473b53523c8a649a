"""The snapshots of one host: built by one process at a time, answered from by all of them.

A folder holds the finished snapshots, of which older ones go when a newer is finished; who has one mapped keeps it.
`refresh` brings a process up to date: it takes the snapshot of the current state where somebody has built it, builds
it where nobody else does, and otherwise takes the newest there is. `current` never waits. Goes in: a folder and how to
get a connection. Comes out: a snapshot. Fails with TransientFailure(SEARCH_NOT_READY) where there is none yet.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl

from braingranary.catalog.db import Connection
from braingranary.catalog.search.columns import FACETS
from braingranary.catalog.search.combinations import Combinations, combine
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.catalog.search.named_queries import NamedQuery
from braingranary.catalog.search.query import VALUES_MAX, Facet, Selection
from braingranary.catalog.search.snapshot import (
    SUFFIX,
    UNFINISHED,
    build,
    catalogue_state,
    file_name,
    layout,
    open_snapshot,
)
from braingranary.catalog.search.texts import Texts, collect_texts
from braingranary.catalog.search.totals import Totals, count_totals
from braingranary.errors import Code, ConfigurationError, TransientFailure

_LOCK: Final = "lock"
Connect = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Snapshot:
    """All series as they stood in one state of the catalogue."""

    state: str
    frame: pl.DataFrame
    queries: tuple[NamedQuery, ...]
    """The named queries with their counts."""

    def select(self, wanted: SeriesFilter) -> Selection:
        """What a filter leaves; raises RejectedInput(REQUEST_INVALID) for a full-text query without words."""
        return Selection(self.frame, self.combinations, self.texts, wanted)

    def facets(self, selection: Selection, *, values_max: int = VALUES_MAX) -> list[Facet]:
        """Counts of the most frequent values under a filter; of everything they are counted already."""
        if selection.narrows:
            return selection.facets(values_max=values_max)
        return [item for facet in FACETS for item in self.totals.facet(facet)[:values_max]]

    @cached_property
    def combinations(self) -> Combinations:
        """The different combinations of facet values."""
        return combine(self.frame)

    @cached_property
    def texts(self) -> Texts:
        """What full-text search looks into."""
        return collect_texts(self.frame)

    @cached_property
    def totals(self) -> Totals:
        """Counts over all series."""
        return count_totals(self.frame, self.combinations)


class SnapshotStore:
    """The snapshots that one process builds and answers from."""

    def __init__(self, folder: Path, connect: Connect) -> None:
        """`connect` lends a connection in no transaction; the folder is of one catalogue and made if need be."""
        self._folder = folder
        self._connect = connect
        self._snapshot: Snapshot | None = None
        self._path: Path | None = None
        self._refreshing = threading.Lock()

    @property
    def current(self) -> Snapshot:
        """The newest snapshot that this process knows; raises TransientFailure(SEARCH_NOT_READY)."""
        found = self._snapshot
        if found is None:
            raise TransientFailure(Code.SEARCH_NOT_READY, "no search snapshot is finished yet")
        return found

    def check(self) -> None:
        """Raise TransientFailure(SEARCH_NOT_READY) where there is no snapshot to answer from."""
        _ = self.current

    def refresh(self) -> bool:
        """Answer from the current state of the catalogue, or else the newest snapshot; whether it is another one."""
        with self._refreshing:
            self._make_folder()
            with self._connect() as connection:
                wanted = self._folder / file_name(catalogue_state(connection))
                if wanted == self._path:
                    return False
                if not wanted.exists():
                    with self._building() as alone:
                        if alone and not wanted.exists():
                            wanted = build(connection, self._folder)
                            self._remove_all_but(wanted)
            return self._take(wanted if wanted.exists() else self._newest())

    def _make_folder(self) -> None:
        """Make the folder; one that belongs to somebody else could hold anything."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.geteuid():
            raise ConfigurationError(Code.CONFIGURATION_INVALID, "the folder of the search snapshots is not ours")

    def _take(self, path: Path | None) -> bool:
        if path is None or path == self._path:
            return False
        snapshot = Snapshot(*open_snapshot(path))
        _ = (snapshot.totals, snapshot.texts)  # counted before anybody waits for them
        self._snapshot, self._path = snapshot, path
        return True

    def _newest(self) -> Path | None:
        """The snapshot finished last, in the format of this code."""
        found = sorted(self._folder.glob(f"series-{layout()}-*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        return found[-1] if found else None

    def _remove_all_but(self, kept: Path) -> None:
        """Older snapshots, and what builders left that were killed; only while no other process builds."""
        for path in self._folder.iterdir():
            if path != kept and path.suffix in {SUFFIX, UNFINISHED}:
                path.unlink(missing_ok=True)

    @contextmanager
    def _building(self) -> Iterator[bool]:
        """Whether this process alone may build, for the time of a block; the lock goes with the process."""
        with (self._folder / _LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
