"""Signing in and up behind one address: a known e-mail address signs in, an unknown one registers where that is open.

Goes in: an address, a password, perhaps an invitation, and a way to a connection: none is held while a password is
hashed. Comes out: who signed in. Fails with RejectedInput(CREDENTIALS_INVALID), in the same words and after the same
work for a wrong password, a disabled account and, where sign-up is not open, an unknown address.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import psycopg

from braingranary.accounts import audit, directory
from braingranary.accounts.audit import Actor, Connection
from braingranary.accounts.directory import Credentials
from braingranary.accounts.passwords import Passwords, check_new
from braingranary.accounts.pseudonyms import Pseudonyms
from braingranary.accounts.records import Role
from braingranary.catalog.sql import statement
from braingranary.errors import Code, RejectedInput

Connect: TypeAlias = Callable[[], AbstractContextManager[Connection]]
SignUp: TypeAlias = Literal["open", "invitation", "closed"]


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Who came in."""

    account_id: int
    generation: int
    registered: bool


@dataclass(frozen=True, kw_only=True)
class SignInService:
    """Signs known accounts in, and registers new ones where that is open."""

    connect: Connect
    passwords: Passwords
    pseudonyms: Pseudonyms
    sign_up: SignUp

    def sign_in(self, actor: Actor, *, email: str, password: str, invitation: str | None = None) -> SignedIn:
        """Sign in, or register an unknown address; `email` is normalized."""
        # For known addresses too: no account has such a password, and the answer must not depend on there being one.
        check_new(password, email=email)
        with self.connect() as connection:
            known = directory.by_email(connection, email)
        may_register = self.sign_up == "open" or (self.sign_up == "invitation" and bool(invitation))
        if known is None and may_register:
            made = self._register(actor, email, password, invitation)
            if made is not None:
                return SignedIn(account_id=made.account_id, generation=made.token_generation, registered=True)
            with self.connect() as connection:  # somebody else registered it meanwhile
                known = directory.by_email(connection, email)
        return self._sign_in_known(actor, known, email, password)

    def _sign_in_known(self, actor: Actor, known: Credentials | None, email: str, password: str) -> SignedIn:
        right = self.passwords.verify(known.password_hash if known else None, password)
        if known is None or not right or known.disabled:
            with self.connect() as connection:
                facts: dict[str, audit.Fact] = {"email": self.pseudonyms.of("email", email)}
                audit.record(connection, actor, "sign_in_failed", facts)
            raise RejectedInput(Code.CREDENTIALS_INVALID, "e-mail address or password is wrong")
        newer = self.passwords.hash(password) if self.passwords.outdated(known.password_hash) else None
        with self.connect() as connection:
            if newer is not None:
                values = {"account_id": known.account_id, "known_hash": known.password_hash, "password_hash": newer}
                connection.execute(statement("accounts/rehash"), values)
            who = Actor(account_id=known.account_id, origin=actor.origin, request_id=actor.request_id)
            audit.record(connection, who, "sign_in")
        return SignedIn(account_id=known.account_id, generation=known.token_generation, registered=False)

    def _register(self, actor: Actor, email: str, password: str, invitation: str | None) -> Credentials | None:
        password_hash = self.passwords.hash(password)
        made = None
        # Rolled back where nothing was made, so that an invitation is not used up by an address that is taken.
        with self.connect() as connection, connection.transaction():
            role = directory.take_invitation(connection, invitation) if invitation else Role.READER
            if role is None:
                raise RejectedInput(Code.CREDENTIALS_INVALID, "e-mail address or password is wrong")
            how = "invitation" if invitation else "open"
            made = directory.register(connection, actor, email=email, password_hash=password_hash, role=role, how=how)
            if made is None:
                raise psycopg.Rollback
        return made
