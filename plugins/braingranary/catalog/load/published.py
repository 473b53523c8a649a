"""What a published run tells the catalogue: the row files of a normalize or a score run, the rejects of an ingest run.

Read from `runs/<step>/<run>/published.json`, which is written once by a conditional PUT; its SHA-256 names the content
and the object store's clock says when. Fails with RejectedInput(OBJECT_MISSING, MANIFEST_INVALID).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput
from braingranary.records import Reject
from braingranary.storage.run_parts import published_runs
from braingranary.storage.store import ObjectStore

Step: TypeAlias = Literal["ingest", "normalize", "score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Row files of one batch: object key by name of the table."""

    part: str
    tables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """One published run as far as the catalogue needs it."""

    step: Step
    run: str
    key: str
    sha256: str
    published_at: datetime
    """When the object was written, UTC."""
    parts: tuple[Part, ...] = ()
    rejects: tuple[Reject, ...] = ()
    model_sha256: str = ""
    """Weights that a score run was made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """The fields of each step's file that are read here; others are for others."""

    run: str
    parts: tuple[Part, ...] = ()
    rejects: tuple[Reject, ...] = field(default=())
    model_sha256: str = ""


_CONTENT: Final = TypeAdapter(_Content)


def published_keys(store: ObjectStore, step: Step) -> Iterator[str]:
    """Object keys of all published runs of a step, in key order."""
    return (info.key for _, info in published_runs(store, step))


def read(store: ObjectStore, step: Step, key: str) -> PublishedRun:
    """The run published at `key`."""
    info = store.head(key)
    if info is None:
        raise RejectedInput(Code.OBJECT_MISSING, f"{key}: the run is not published")
    data = store.get(key)
    try:
        content = _CONTENT.validate_json(data)
    except ValidationError as error:
        raise RejectedInput(Code.MANIFEST_INVALID, f"{key}: not a published run") from error
    return PublishedRun(
        step=step,
        run=content.run,
        key=key,
        sha256=hashlib.sha256(data).hexdigest(),
        published_at=info.modified,
        parts=tuple(sorted(content.parts, key=lambda part: part.part)),
        rejects=content.rejects,
        model_sha256=content.model_sha256,
    )
