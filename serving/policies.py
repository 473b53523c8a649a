"""Who may call which view: every view names its least role, and one place holds all to it.

`@access(Access.READER)` stands directly under `@api.get(...)` and only marks the view. The mark is read before the
request is validated, so a stranger learns nothing about parameters; a view without a mark answers nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

import structlog
from flask import Flask, g

from braingranary.accounts.records import Account

ViewT = TypeVar("ViewT", bound=Callable[..., Any])
_MARK: Final = "__granary_access__"

_log = structlog.get_logger("serving.audit")


class Access(StrEnum):
    """The least that a caller must be."""

    PUBLIC = "public"
    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"


class Rate(StrEnum):
    """Routes that share one budget of requests, by address and by account."""

    LOGIN = "login"
    DETECT = "detect"
    DOWNLOAD = "download"
    GENERAL = "general"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is demanded of the caller of a view."""

    least: Access
    rate: Rate


def access(least: Access, *, rate: Rate = Rate.GENERAL) -> Callable[[ViewT], ViewT]:
    """Mark a view with the least role that may call it, and the budget that a call is taken from."""

    def mark(view: ViewT) -> ViewT:
        setattr(view, _MARK, Policy(least=least, rate=rate))
        return view

    return mark


def policy_of(view: Callable[..., Any]) -> Policy | None:
    """The mark of a view; None where somebody forgot it."""
    return getattr(view, _MARK, None)


def current_account() -> Account | None:
    """The account that sent this request; None for an anonymous visitor."""
    return cast("Account | None", g.get("account"))


def audit(event: str, **facts: str | int | float | bool | None) -> None:
    """Record who did what. `facts` hold ids and counts: no e-mail address, no token, nothing about a patient."""
    account = current_account()
    _log.info("audit", audit_event=event, account_id=account.account_id if account else None, facts=facts)


def register(app: Flask) -> None:
    """Hold every request of `app` to the marks of its views."""
