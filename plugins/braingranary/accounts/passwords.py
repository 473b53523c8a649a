"""Passwords as argon2id hashes, checked by a few at a time and in the same time whether or not there is an account.

Goes in: passwords. Comes out: hashes in the PHC format, which carry parameters and salt, and verdicts. Fails with
RejectedInput(PASSWORD_INVALID) for a password that may not be set and TransientFailure(SERVER_BUSY) when too many are
being checked: a check takes memory and a core by intention, so their number is bounded and not the caller's choice.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from braingranary.errors import Code, RejectedInput, TransientFailure

PASSWORD_CHARACTERS_MIN: Final = 10
PASSWORD_CHARACTERS_MAX: Final = 256
# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1
_WAIT_S: Final = 2.0  # for a place among those that are checked; longer would only make the queue longer


class Passwords:
    """Hashes and checks; one for a process."""

    def __init__(self, *, at_once: int, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=LANES)
        self._places = threading.BoundedSemaphore(at_once)
        # Nobody's password; it costs an unknown address what a wrong password costs a known one.
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """The hash of a password that `check_new` let pass."""
        with self._place():
            return self._hasher.hash(_prepared(password))

    def verify(self, known_hash: str | None, password: str) -> bool:
        """Whether this is the password behind the hash; without a hash never, after the same work."""
        with self._place():
            try:
                self._hasher.verify(known_hash or self._nobodys_hash, _prepared(password))
            except (VerificationError, InvalidHashError):
                return False
        return known_hash is not None

    def outdated(self, known_hash: str) -> bool:
        """Whether the hash was made under other parameters than today's."""
        return self._hasher.check_needs_rehash(known_hash)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_WAIT_S):
            raise TransientFailure(Code.SERVER_BUSY, "too many passwords are being checked; try again")
        try:
            yield
        finally:
            self._places.release()


def check_new(password: str, *, email: str) -> None:
    """Refuse what may not become a password: its length counts, and it is not the address; nothing else is asked."""
    if not PASSWORD_CHARACTERS_MIN <= len(_prepared(password)) <= PASSWORD_CHARACTERS_MAX:
        limits = f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX}"
        raise RejectedInput(Code.PASSWORD_INVALID, f"a password has {limits} characters")
    if _prepared(password).casefold() == email.casefold():
        raise RejectedInput(Code.PASSWORD_INVALID, "a password is not the e-mail address")


def _prepared(password: str) -> str:
    """One form for what keyboards spell in several (NIST SP 800-63B, 3.1.1.2)."""
    prepared = unicodedata.normalize("NFKC", password)
    try:
        prepared.encode()
    except UnicodeEncodeError:  # half a pair of surrogates, which JSON can spell
        raise RejectedInput(Code.PASSWORD_INVALID, "a password consists of characters") from None
    return prepared
