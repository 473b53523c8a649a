"""Terms of use at the front door: no pixel of a restricted collection leaves it unless the account accepted them.

Every route that answers pixels calls `require` before it reads one. Goes in: what the route is about to show. Comes
out: whether it is restricted at all, in which case no cache may keep the answer. Fails with
RejectedInput(TERMS_NOT_ACCEPTED), answered 403, whose text says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import g, url_for

from braingranary.accounts import terms as acceptances
from braingranary.catalog.db import Connection
from braingranary.catalog.read import terms as restrictions
from braingranary.catalog.read.terms import Restriction
from braingranary.errors import Code, RejectedInput
from serving.auth.policies import current_account
from serving.extensions import services

COLLECTIONS_NAMED = 10


def require(
    connection: Connection,
    *,
    pack_id: int | None = None,
    series_uid: str | None = None,
    collection_ids: Sequence[int] = (),
) -> bool:
    """Refuse unless the caller accepted the terms of all that is named; True where any of it is restricted."""
    found = restrictions.restrictions_of(
        connection, pack_id=pack_id, series_uid=series_uid, collection_ids=collection_ids
    )
    refuse(barred(found))
    return bool(found)


def barred(found: Iterable[Restriction]) -> list[Restriction]:
    """The restrictions whose terms the caller has not accepted."""
    return [item for item in found if (item.terms, item.version) not in _accepted()]


def refuse(missing: Sequence[Restriction]) -> None:
    """Raise RejectedInput(TERMS_NOT_ACCEPTED) that names the collections and the way, unless nothing is missing."""
    if not missing:
        return
    names = sorted({item.collection for item in missing})
    shown = ", ".join(names[:COLLECTIONS_NAMED]) + (" and others" if len(names) > COLLECTIONS_NAMED else "")
    ways = ", ".join(
        f"POST {url_for('terms.accept', name=name)} with version {version}"
        for name, version in sorted({(item.terms, item.version) for item in missing})
    )
    who = "sign in and " if current_account() is None else ""
    raise RejectedInput(
        Code.TERMS_NOT_ACCEPTED,
        f"pixels of {shown} need accepted terms of use: {who}read them at {url_for('terms.all_terms')}, then {ways}",
    )


def _accepted() -> set[tuple[str, str]]:
    """Name and version of what the caller accepted, asked once a request, and only where something is restricted."""
    if "accepted_terms" not in g:
        account = current_account()
        g.accepted_terms = set()
        if account is not None:
            with services().accounts() as connection:
                g.accepted_terms = set(acceptances.accepted(connection, account.account_id))
    found: set[tuple[str, str]] = g.accepted_terms
    return found
