"""Cursors of paged lists: where the last page ended, opaque to the caller.

Nothing is signed: a cursor is only a lower bound, so that a forged one yields another page of the same list at most.
"""

from __future__ import annotations

import base64
import binascii
import re

from braingranary.errors import Code, RejectedInput

_PRINTED = re.compile(r"[ -~]*\Z")  # a NUL would not get past the database
_SIGNED_64 = range(-(2**63), 2**63)


def encode(*parts: int | float | str) -> str:
    """The cursor that stands for `parts`."""
    return base64.urlsafe_b64encode("~".join(str(part) for part in parts).encode()).rstrip(b"=").decode()


def decode(cursor: str, *kinds: type[int] | type[str]) -> tuple[int | str, ...]:
    """The parts of a cursor; raises RejectedInput(REQUEST_INVALID) unless they are of `kinds`."""
    try:
        texts = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii").split("~")
        parts = tuple(kind(text) for kind, text in zip(kinds, texts, strict=True))
    except (ValueError, binascii.Error):
        raise RejectedInput(Code.REQUEST_INVALID, "cursor: not one of this list") from None
    if any(part not in _SIGNED_64 if isinstance(part, int) else not _PRINTED.match(part) for part in parts):
        raise RejectedInput(Code.REQUEST_INVALID, "cursor: not one of this list")
    return parts
