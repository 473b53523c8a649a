"""Publishing a normalize run: one conditional PUT makes all of its parts visible to the next step at once.

Goes in: the parts that the workers gave back. Comes out: the run as it is published, by this caller or by a second copy
of it that was faster; both go on with the same content. Fails with TransientFailure when the store does not answer.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from braingranary.normalization.parts import PartResult, PublishedRun, published_key
from braingranary.normalization.profile import Profile
from braingranary.storage.store import ObjectStore

_log = structlog.get_logger(__name__)


def publish(store: ObjectStore, run: str, profile: Profile, parts: Iterable[PartResult]) -> PublishedRun:
    """Publish `run` unless it is published already; returns what stands there, ours or the winner's."""
    ours = PublishedRun(run=run, profile=profile.name, parts=tuple(sorted(parts, key=lambda part: part.part)))
    won = store.put(published_key(run), ours.to_json(), if_absent=True)
    _log.info("normalize_published", run=run, parts=len(ours.parts), won=won, **ours.rows)
    return ours if won else read_published(store, run)


def read_published(store: ObjectStore, run: str) -> PublishedRun:
    """The published run; raises RejectedInput(OBJECT_MISSING) while it is not published."""
    return PublishedRun.from_json(store.get(published_key(run)))
