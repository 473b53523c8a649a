"""What the steps that work in parts have in common: which runs are published, how parts are named and rows add up.

Goes in: the store, what a part holds, JSON, numbers of rows. Comes out: runs, names, records, totals. Fails with
RejectedInput(MANIFEST_INVALID) on JSON that does not tell such a record.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput
from braingranary.storage import keys
from braingranary.storage.store import ObjectInfo, ObjectStore

_NAME_DIGITS: Final = 32  # 128 bits: no two parts of a catalogue meet
T = TypeVar("T")


def published_runs(store: ObjectStore, step: str) -> Iterator[tuple[str, ObjectInfo]]:
    """The published runs of a step by their names as key segments, each with its `published.json`, in key order."""
    prefix = keys.runs_prefix(step)
    for info in store.list(prefix):
        run = info.key.removeprefix(prefix).partition("/")[0]
        if info.key == f"{prefix}{run}/{keys.PUBLISHED_NAME}":
            yield run, info


def digest_name(head: str, members: Iterable[str]) -> str:
    """The name of what `head` makes of exactly these `members`, whatever their order."""
    return hashlib.sha256("\n".join([head, *sorted(members)]).encode()).hexdigest()[:_NAME_DIGITS]


def read_record(kind: TypeAdapter[T], text: str | bytes, what: str) -> T:
    """The record told by `text`, which should be `what`."""
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        raise RejectedInput(Code.MANIFEST_INVALID, f"not {what}") from error


def total(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Numbers of rows by table name, over all parts."""
    totals: Counter[str] = Counter()
    for part in rows:
        totals.update(part)
    return dict(totals)
