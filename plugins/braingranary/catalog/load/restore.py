"""The catalogue rebuilt from the object store alone: every published run is loaded in the order of publication.

Goes in: a migrated catalogue in which the models are registered, and the store. Comes out: the same rows as before, but
for the columns of `NOT_RESTORED`. What is loaded already is left alone, so a restore that was killed goes on when it is
run again. A run that the checks or the quality gates refuse is told and left out, as it was at first; one that a person
let pass the gates has to be let pass again. Accounts and terms are no business of the object store: they come from a
backup of PostgreSQL. Fails with TransientFailure where the store or PostgreSQL cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from braingranary.catalog.load import published
from braingranary.catalog.load.normalize_run import load_published, loaded_keys
from braingranary.catalog.load.published import PublishedRun, Step
from braingranary.catalog.load.score_run import load_scores, loaded_score_keys
from braingranary.catalog.load.transaction import Connection
from braingranary.errors import RejectedInput
from braingranary.storage.store import ObjectStore

NOT_RESTORED: Final[Mapping[str, tuple[str, ...]]] = {
    "catalogue_state": ("version", "changed_at"),
    "model": ("registered_at",),
}
"""Columns by table that tell when or how often the catalogue itself was changed: a restore is such a change."""
_STEPS: Final[tuple[Step, ...]] = ("ingest", "normalize", "score")

_log = structlog.get_logger(__name__)

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called after each run: how many are done, of how many, and the object key of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """How many runs of each step a restore has loaded, and how many were loaded before."""

    ingest: int = 0
    normalize: int = 0
    score: int = 0
    already: int = 0
    refused: tuple[str, ...] = ()
    """Object keys of the runs that were refused, as they were when they were published."""


def restore(
    connection: Connection, store: ObjectStore, progress: Progress = lambda _done, _total, _key: None
) -> Restored:
    """Load every published run that is not loaded, the oldest first, each in one transaction."""
    known = loaded_keys(connection) | loaded_score_keys(connection)
    everything = sorted(_published(store), key=lambda run: (run.published_at, _STEPS.index(run.step), run.run))
    waiting = [run for run in everything if run.key not in known]
    counts = dict.fromkeys(_STEPS, 0)
    refused: list[str] = []
    for number, run in enumerate(waiting, 1):
        try:
            if run.step == "score":
                load_scores(connection, store, run.run)
            else:
                load_published(connection, store, run)
        except RejectedInput as error:
            _log.error("run_refused", key=run.key, code=error.code, detail=error.message)
            refused.append(run.key)
        else:
            counts[run.step] += 1
        progress(number, len(waiting), run.key)
    restored = Restored(
        ingest=counts["ingest"],
        normalize=counts["normalize"],
        score=counts["score"],
        already=len(everything) - len(waiting),
        refused=tuple(refused),
    )
    _log.info("catalog_restored", runs=len(waiting), already=restored.already)
    return restored


def _published(store: ObjectStore) -> Iterator[PublishedRun]:
    for step in _STEPS:
        for key in published.published_keys(store, step):
            yield published.read(store, step, key)
