"""Keyed hashes that stand for e-mail and network addresses in the audit trail and in the limits.

Equal ones can be told from each other; what they stand for can be neither read nor guessed without the key, which a
plain hash of so few possible values would allow.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

_CHARACTERS: Final = 32  # 128 bits: no two will ever meet by chance


class Pseudonyms:
    """Makes pseudonyms under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, text: str) -> str:
        """The pseudonym of `text`; another `kind` gives another one."""
        return hmac.new(self._key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()[:_CHARACTERS]
