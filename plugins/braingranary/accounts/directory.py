"""The table of accounts: finding, registering, changing and removing them; every change is in the audit trail with it.

Goes in: a connection in the role granary_accounts, inside the caller's transaction, and who acts. Comes out: frozen
records. Fails with RejectedInput(NOT_FOUND) where there is no such account and RejectedInput(OWN_ACCOUNT) where an
administrator would lock themselves out.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from psycopg.rows import class_row

from braingranary.accounts import audit
from braingranary.accounts.audit import Actor, Connection
from braingranary.accounts.records import Account, Role
from braingranary.accounts.tokens import Claims
from braingranary.catalog.sql import statement
from braingranary.errors import Code, RejectedInput

RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a password is checked against."""

    account_id: int
    role: Role
    password_hash: str
    token_generation: int
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails:
    """An account as its owner and administrators see it."""

    account_id: int
    email: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None


def of_token(connection: Connection, claims: Claims) -> Account | None:
    """The account that a token speaks for; None when token or account has been taken back."""
    row = connection.execute(
        statement("accounts/account_of_token"),
        {"account_id": claims.account_id, "generation": claims.generation, "jti": claims.jti},
    ).fetchone()
    return Account(account_id=row[0], role=Role(row[1])) if row else None


def by_email(connection: Connection, email: str) -> Credentials | None:
    """Credentials of the account with this normalized address."""
    return _one(connection, Credentials, "by_email", email=email)


def by_id(connection: Connection, account_id: int) -> Credentials | None:
    """Credentials of the account with this number."""
    return _one(connection, Credentials, "by_id", account_id=account_id)


def details(connection: Connection, account_id: int) -> AccountDetails:
    """The account with this number."""
    found = _one(connection, AccountDetails, "details", account_id=account_id)
    if found is None:
        raise _absent()
    return found


def page(connection: Connection, *, after: int, limit: int) -> list[AccountDetails]:
    """Accounts with a number above `after`, in order."""
    with connection.cursor(row_factory=class_row(AccountDetails)) as cursor:
        cursor.execute(statement("accounts/page"), {"after": after, "limit": limit})
        return cursor.fetchall()


def register(
    connection: Connection, actor: Actor, *, email: str, password_hash: str, role: Role, how: str
) -> Credentials | None:
    """A new account; None when the address is taken. `how` is open, invitation or command."""
    made = _one(connection, Credentials, "register", email=email, password_hash=password_hash, role=role)
    if made is not None:
        who = Actor(account_id=made.account_id, origin=actor.origin, request_id=actor.request_id)
        audit.record(connection, who, "sign_up", {"role": role, "how": how})
    return made


def set_password(connection: Connection, actor: Actor, account_id: int, password_hash: str) -> int:
    """Another password; all tokens so far are void. Returns the generation of those to come."""
    row = connection.execute(
        statement("accounts/set_password"), {"account_id": account_id, "password_hash": password_hash}
    ).fetchone()
    if row is None:
        raise _absent()
    audit.record(connection, actor, "password_changed", {"of": account_id})
    return int(row[0])


def set_role(connection: Connection, actor: Actor, account_id: int, role: Role) -> None:
    """Another role; it holds for tokens that are out already."""
    _not_oneself(actor, account_id)
    row = connection.execute(statement("accounts/set_role"), {"account_id": account_id, "role": role}).fetchone()
    if row is None:
        raise _absent()
    if row[0] != role:
        audit.record(connection, actor, "role_changed", {"of": account_id, "before": row[0], "role": role})


def set_disabled(connection: Connection, actor: Actor, account_id: int, *, disabled: bool) -> None:
    """Shut an account with all its tokens, or open it again."""
    _not_oneself(actor, account_id)
    _change(connection, "set_disabled", account_id, disabled=disabled)
    audit.record(connection, actor, "account_disabled" if disabled else "account_enabled", {"of": account_id})


def revoke_token(connection: Connection, actor: Actor, claims: Claims) -> None:
    """Void one token, and forget revocations that no longer matter."""
    connection.execute(
        statement("accounts/revoke_token"),
        {"jti": claims.jti, "account_id": claims.account_id, "expires_at": claims.expires_at},
    )
    connection.execute(statement("accounts/forget_ended_tokens"))
    audit.record(connection, actor, "token_revoked", {"of": claims.account_id})


def note_token(connection: Connection, actor: Actor, account_id: int, *, hours: int) -> None:
    """Write down that somebody else than its owner made a token of an account."""
    audit.record(connection, actor, "token_made", {"of": account_id, "hours": hours})


def revoke_all(connection: Connection, actor: Actor, account_id: int) -> None:
    """Void every token of an account."""
    _change(connection, "revoke_all", account_id)
    audit.record(connection, actor, "tokens_revoked", {"of": account_id})


def remove(connection: Connection, actor: Actor, account_id: int) -> None:
    """Delete an account with all that refers to it; the trail keeps its number."""
    _change(connection, "remove", account_id)
    audit.record(connection, actor, "account_removed", {"of": account_id})


def invite(connection: Connection, actor: Actor, *, role: Role, lifetime: timedelta) -> str:
    """An invitation that registers one account; only its hash is kept."""
    invitation = secrets.token_urlsafe(32)
    connection.execute(
        statement("accounts/invite"),
        {
            "token_hash": _invitation_hash(invitation),
            "role": role,
            "invited_by": actor.account_id,
            "expires_at": datetime.now(UTC) + lifetime,
        },
    )
    audit.record(connection, actor, "invited", {"role": role})
    return invitation


def take_invitation(connection: Connection, invitation: str) -> Role | None:
    """The role that an open invitation gives; it is taken when the transaction ends well."""
    row = connection.execute(
        statement("accounts/take_invitation"), {"token_hash": _invitation_hash(invitation)}
    ).fetchone()
    return Role(row[0]) if row else None


def _invitation_hash(invitation: str) -> bytes:
    # 256 random bits need no slow hash: nobody can try them all.
    return hashlib.sha256(invitation.encode(errors="replace")).digest()


def _one(connection: Connection, kind: type[RecordT], name: str, **values: Any) -> RecordT | None:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        cursor.execute(statement(f"accounts/{name}"), values)
        return cursor.fetchone()


def _change(connection: Connection, name: str, account_id: int, **values: Any) -> None:
    if connection.execute(statement(f"accounts/{name}"), {"account_id": account_id, **values}).fetchone() is None:
        raise _absent()


def _not_oneself(actor: Actor, account_id: int) -> None:
    if actor.account_id == account_id:
        raise RejectedInput(Code.OWN_ACCOUNT, "another administrator has to do this to your account")


def _absent() -> RejectedInput:
    return RejectedInput(Code.NOT_FOUND, "there is no such account")
