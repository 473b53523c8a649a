"""The audit trail: who did what and when, added to and never changed.

Goes in: an event as a stable word and facts that are ids, counts and codes. Comes out: pages for an administrator,
newest first. No e-mail address, no token, nothing about a patient, no name of an uploaded file belongs in facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from braingranary.catalog.sql import statement

Connection: TypeAlias = psycopg.Connection[Any]
Fact: TypeAlias = str | int | float | bool | None
FIRST_PAGE = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts: an account, from where (as a pseudonym), in which request."""

    account_id: int | None = None
    origin: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Who did what and when."""

    audit_id: int
    happened_at: datetime
    event: str
    account_id: int | None
    origin: str | None
    request_id: str | None
    facts: dict[str, Fact]


def record(connection: Connection, actor: Actor, event: str, facts: Mapping[str, Fact] | None = None) -> None:
    """Add a line, in the transaction of `connection`: it stands when what it tells stands."""
    connection.execute(
        statement("accounts/record_event"),
        {
            "event": event,
            "account_id": actor.account_id,
            "origin": actor.origin,
            "request_id": actor.request_id,
            "facts": Jsonb(dict(facts or {})),
        },
    )


def page(
    connection: Connection,
    *,
    before: int = FIRST_PAGE,
    limit: int,
    event: str | None = None,
    account_id: int | None = None,
) -> list[AuditLine]:
    """Lines with a number below `before`, newest first."""
    with connection.cursor(row_factory=class_row(AuditLine)) as cursor:
        cursor.execute(
            statement("accounts/audit_page"),
            {"before": before, "limit": limit, "event": event, "account_id": account_id},
        )
        return cursor.fetchall()
