"""Which terms of use an account has accepted: who, which version, when.

Goes in: a connection in the role granary_accounts, inside the caller's transaction. Comes out: what was accepted; an
acceptance stands together with its line in the audit trail.
"""

from __future__ import annotations

from datetime import datetime

from braingranary.accounts import audit
from braingranary.accounts.audit import Actor, Connection
from braingranary.catalog.sql import statement


def accepted(connection: Connection, account_id: int) -> dict[tuple[str, str], datetime]:
    """When (UTC) the account accepted which version, by name and version of the terms."""
    rows = connection.execute(statement("accounts/accepted_terms"), {"account_id": account_id}).fetchall()
    return {(name, version): at for name, version, at in rows}


def accept(connection: Connection, actor: Actor, *, account_id: int, name: str, version: str) -> bool:
    """Record that the account accepts these terms; False where it had done so before, which changes nothing."""
    values = {"account_id": account_id, "terms": name, "version": version}
    new = connection.execute(statement("accounts/accept_terms"), values).rowcount == 1
    if new:
        audit.record(connection, actor, "terms_accepted", {"terms": name, "version": version})
    return new
