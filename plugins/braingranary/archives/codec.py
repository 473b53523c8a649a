"""JSON of what the archives room keeps in the object store, in one place, the same bytes for the same values.

Goes in and comes out: frozen dataclasses. Fails with RejectedInput(MANIFEST_INVALID) for bytes that are none of them.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput

T = TypeVar("T")


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(cast("type[Any]", kind))
    return adapter


def to_json(value: object) -> bytes:
    """Compact JSON with sorted keys."""
    plain = _adapter(cast("Hashable", type(value))).dump_python(value, mode="json")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def from_json(kind: type[T], data: bytes) -> T:
    """The value of `kind` in `data`."""
    try:
        value: T = _adapter(cast("Hashable", kind)).validate_json(data)
    except ValidationError as error:
        raise RejectedInput(Code.MANIFEST_INVALID, f"not a {kind.__name__} ({error.error_count()} faults)") from None
    return value
