"""What the steps that work in parts have in common: how a part is named, how its record is read, how rows add up.

Goes in: what a part holds, JSON, numbers of rows. Comes out: names, records, totals. Fails with
RejectedInput(MANIFEST_INVALID) on JSON that does not tell such a record.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput

_NAME_DIGITS: Final = 32  # 128 bits: no two parts of a catalogue meet
T = TypeVar("T")


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
