"""Budgets of requests: how many one address and one account may send, counted by the library `limits`.

Every request takes from the budget of its policy, once for its network address and once for its account; an address
that no route matches takes from the general one. Signing in also takes from a budget for the pair of address and e-mail
address, so that guessing at an account from elsewhere never shuts its owner out. Counts are in a store that all
processes share. While it does not answer, each process counts in its own memory; health is counted there always.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final, cast

import structlog
from flask import Flask, current_app, g, request
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import HTTPException, TooManyRequests

from braingranary.accounts import emails
from braingranary.errors import Code, ConfigurationError, GranaryError
from braingranary.settings import LimitsSettings
from serving.auth.identity import identity
from serving.auth.policies import SIGN_IN, Policy, Rate, current_account
from serving.http.problems import problem

MEMORY: Final = "memory://"
_PREFIX: Final = "granary"
_STORE_TIMEOUT_S: Final = 0.5
_STORE_RETRY_S: Final = 5.0
"""How long a store that did not answer is left alone."""
_IPV6_NETWORK_BITS: Final = 64  # what one subscriber has at least: any address of it is theirs (RFC 6177)
_SCHEMES: Final = {"redis": "valkey", "rediss": "valkeys", "redis+unix": "valkey+unix"}

_log = structlog.get_logger(__name__)


class Limits:
    """The budgets of one application.

    Raises:
        ConfigurationError: CONFIGURATION_INVALID for a budget or a store's URL that cannot be read.
    """

    def __init__(self, settings: LimitsSettings) -> None:
        self._budgets = {
            Rate.GENERAL: _parsed(settings.general),
            Rate.DETECT: _parsed(settings.detect),
            Rate.DOWNLOAD: _parsed(settings.download),
            Rate.LOGIN: _parsed(settings.login),
            Rate.HEALTH: _parsed(settings.health),
        }
        self._login_email = _parsed(settings.login_email)
        url = _store_url(settings.store.get_secret_value())
        # A store that hangs must cost a request this long at most. The annotation knows no fractions, the client does.
        timeout = cast(int, _STORE_TIMEOUT_S)
        options: dict[str, int] = (
            {} if url == MEMORY else {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        )
        storage = storage_from_string(url, wrap_exceptions=True, **options)
        self._shared = FixedWindowRateLimiter(storage)
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared_again_at = 0.0

    def register(self, app: Flask) -> None:
        """Be the limits of `app`, whose request hook calls `count`."""
        app.extensions["granary_limits"] = self

    def count(self, policy: Policy | None) -> None:
        """Count the current request, whose caller was identified; no policy: an address that no route matches.

        Raises:
            TooManyRequests: with a problem as its response, whose Retry-After is the length of the window.
        """
        rate = policy.rate if policy else Rate.GENERAL
        for item in self._budgets[rate]:
            for kind, who in _callers():
                if not self._hit(item, rate, f"{kind}:{rate}", who):
                    raise _refusal(item, rate)
        if policy == SIGN_IN:
            for item in self._login_email:
                if not self._hit(item, rate, _login(), f"e-mail:{rate}"):
                    raise _refusal(item, rate)

    def forgive_login(self) -> None:
        """Forget the attempts of this address for this e-mail address: it has just signed in."""
        for item in self._login_email:
            self._own.clear(item, _PREFIX, _login(), f"e-mail:{Rate.LOGIN}")
            if time.monotonic() >= self._shared_again_at:
                try:
                    self._shared.clear(item, _PREFIX, _login(), f"e-mail:{Rate.LOGIN}")
                except StorageError as error:
                    self._leave_store_alone(error)

    def check_store(self, _timeout_s: float) -> None:
        """Raise unless the shared store answers; for /readyz."""
        if not self._shared.storage.check():
            raise ConnectionError("the store of the limits does not answer")

    def _hit(self, item: RateLimitItem, rate: Rate, *names: str) -> bool:
        """Whether the budget `item` of what `names` say admits one more request."""
        if rate is not Rate.HEALTH and time.monotonic() >= self._shared_again_at:
            try:
                return self._shared.hit(item, _PREFIX, *names)
            except StorageError as error:
                self._leave_store_alone(error)
        return self._own.hit(item, _PREFIX, *names)

    def _leave_store_alone(self, error: StorageError) -> None:
        self._shared_again_at = time.monotonic() + _STORE_RETRY_S
        _log.warning("limits_store_unavailable", error=type(error.storage_error).__name__, retry_s=_STORE_RETRY_S)


def limits() -> Limits:
    """The limits of the application that answers the current request."""
    return cast(Limits, current_app.extensions["granary_limits"])


def address() -> str:
    """The caller's network address; of IPv6 the network, because a caller has as many addresses as they like."""
    text = request.remote_addr or "unknown"
    try:
        found = ip_address(text)
    except ValueError:
        return text
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> _IPV6_NETWORK_BITS << _IPV6_NETWORK_BITS)}/{_IPV6_NETWORK_BITS}"
    return text


def _callers() -> Iterator[tuple[str, str]]:
    """Kind and name of those who pay for the current request."""
    yield "address", address()
    account = current_account()
    if account is not None:
        yield "account", str(account.account_id)


def _login() -> str:
    """The pair of address and e-mail address, read from the body before it is validated: nothing here trusts it."""
    if "login_key" not in g:
        try:
            sent = request.get_json(silent=True) if request.is_json else request.form
            text = sent.get("email") if isinstance(sent, Mapping) else None
            email = emails.normalized(text) if isinstance(text, str) else ""
        except (GranaryError, HTTPException, ValueError, OSError, RecursionError):
            email = ""  # the view will say what is wrong with it
        g.login_key = f"{address()}:{identity().pseudonyms.of('email', email)}"
    return cast(str, g.login_key)


def _refusal(item: RateLimitItem, rate: Rate) -> TooManyRequests:
    _log.warning("rate_limited", budget=rate, limit=str(item))
    response = problem(429, Code.RATE_LIMITED, f"too many requests: {item} are admitted; try again later")
    response.headers["Retry-After"] = str(max(1, item.get_expiry()))
    return TooManyRequests(response=response)


def _parsed(budget: str) -> list[RateLimitItem]:
    try:
        return parse_many(budget) if budget else []
    except ValueError:
        message = "GRANARY_LIMITS_*: a budget reads like 30/minute;300/hour"
        raise ConfigurationError(Code.CONFIGURATION_INVALID, message) from None


def _store_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"memory", *_SCHEMES, *_SCHEMES.values()}:
        message = "GRANARY_LIMITS_STORE is a valkey:// or redis:// URL (memory:// for a single process)"
        raise ConfigurationError(Code.CONFIGURATION_INVALID, message)
    return f"{_SCHEMES.get(scheme, scheme)}://{rest}"
