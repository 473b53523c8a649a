"""Accounts for tests: made straight in the database, each with a token of the application's own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import Flask

from braingranary.accounts import directory
from braingranary.accounts.audit import Actor
from braingranary.accounts.records import Role
from serving.auth.identity import Identity

PASSWORD = "correct horse battery"


@dataclass(frozen=True, kw_only=True)
class Member:
    """An account that a test may act as."""

    account_id: int
    email: str
    role: Role
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What to send along."""
        return {"auth-token": self.token}


def identity_of(app: Flask) -> Identity:
    """The accounts of an application, outside a request."""
    found: Identity = app.extensions["granary"].identity
    return found


def new_email() -> str:
    """An address that nobody has."""
    return f"somebody-{secrets.token_hex(6)}@example.org"


def join(app: Flask, role: Role = Role.READER, *, email: str | None = None) -> Member:
    """A new account with a token; its password is PASSWORD."""
    identity = identity_of(app)
    address = email or new_email()
    password_hash = identity.sign_in_service.passwords.hash(PASSWORD)
    with identity.connection() as connection:
        made = directory.register(
            connection, Actor(), email=address, password_hash=password_hash, role=role, how="command"
        )
    assert made is not None
    token = identity.tokens.issue(account_id=made.account_id, generation=made.token_generation)
    return Member(account_id=made.account_id, email=address, role=role, token=token)
