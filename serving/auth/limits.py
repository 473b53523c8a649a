"""How many requests one address and one account may send: flask-limiter over a store that all processes share.

Every view takes from the budget that its policy names, once for the network address and once for the account; signing
in also takes from a budget for the pair of address and e-mail address, so that guessing at an account from elsewhere
never shuts its owner out. A budget of thousands is counted by samples: one request in ten pays for all ten, because
the way to the store costs more than many an answer. Goes in: the settings. Comes out: 429 with Retry-After as a
problem. When the store does not answer, each process counts for itself until it does. Fails with ConfigurationError
for a budget that cannot be read.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final, cast

import structlog
from flask import Flask, Response, current_app, g, request
from flask_limiter import Limit, Limiter, RequestLimit
from limits import parse_many
from werkzeug.exceptions import HTTPException

from braingranary.accounts import emails
from braingranary.errors import Code, ConfigurationError, GranaryError
from braingranary.settings import LimitsSettings
from serving.auth.identity import identity
from serving.auth.policies import SIGN_IN, Policy, Rate, current_account, current_policy
from serving.http.problems import problem

MEMORY: Final = "memory://"
_PREFIX: Final = "granary"
_EMAIL: Final = "e-mail"
_STORE_TIMEOUT_S: Final = 0.5
_IPV6_NETWORK_BITS: Final = 64  # what one subscriber has at least: any address of it is theirs (RFC 6177)
_SAMPLE: Final = 10
_SAMPLED_FROM: Final = 100 * _SAMPLE  # requests of a budget: its bound is then met within a few per cent
_SCHEMES: Final = {"redis": "valkey", "rediss": "valkeys", "redis+unix": "valkey+unix"}

_log = structlog.get_logger(__name__)


class Limits:
    """The budgets of one application."""

    def __init__(self, settings: LimitsSettings) -> None:
        self._budgets = {
            Rate.GENERAL: settings.general,
            Rate.DETECT: settings.detect,
            Rate.DOWNLOAD: settings.download,
            Rate.LOGIN: settings.login,
        }
        self._login_email = settings.login_email
        for budget in (*self._budgets.values(), self._login_email):
            _checked(budget)
        amounts = [item.amount for item in parse_many(settings.general)] if settings.general else []
        self._sample = _SAMPLE if amounts and min(amounts) >= _SAMPLED_FROM else 1
        store = _store_url(settings.store.get_secret_value())
        timeouts: dict[str, str | int] = {}
        if store != MEMORY:
            # The annotation knows no fractions, the client of the store does.
            seconds = cast(int, _STORE_TIMEOUT_S)
            timeouts = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        self.limiter = Limiter(
            address,
            default_limits=[
                _limit(self._budget, address, "address", cost=self._cost),
                _limit(self._budget, _account, "account", cost=self._cost, exempt_when=_anonymous),
                _limit(lambda: self._login_email, _login, _EMAIL, exempt_when=_no_login),
            ],
            strategy="fixed-window",
            storage_uri=store,
            storage_options=timeouts,
            in_memory_fallback_enabled=store != MEMORY,
            key_prefix=_PREFIX,
            on_breach=_refuse,
        )
        # Its hooks go to an application that answers nobody, so that a request pays for counting only when it counts.
        counting = Flask("limits")
        self.limiter.init_app(counting)
        self._count = tuple(counting.before_request_funcs[None])
        # It would tell the network address of whom it refuses; `rate_limited` below tells enough.
        self.limiter.logger.setLevel(logging.WARNING)

    def register(self, app: Flask) -> None:
        """Be the limits of `app`, whose hooks call `count`."""
        app.extensions["granary_limits"] = self

    def count(self, policy: Policy) -> None:
        """Count the current request, whose caller was identified; raises flask-limiter's RateLimitExceeded."""
        if policy.rate is Rate.NONE or (policy.rate is Rate.GENERAL and self._left_out()):
            return
        for hook in self._count:
            hook()

    def forgive_login(self) -> None:
        """Forget the attempts of this address for this e-mail address: it has just signed in."""
        try:
            for item in parse_many(self._login_email) if self._login_email else ():
                self.limiter.limiter.clear(item, _PREFIX, _login(), f"{_EMAIL}:{Rate.LOGIN}")
        except self.limiter.storage.base_exceptions as error:
            # A store that is away has nothing to forget, and is no reason to refuse who has signed in.
            _log.warning("login_not_forgiven", error=type(error).__name__)

    def ready(self, _timeout_s: float) -> None:
        """Raise unless the store answers."""
        if not self.limiter.storage.check():
            raise ConnectionError("the store of the limits does not answer")

    def _budget(self) -> str:
        policy = current_policy()
        return self._budgets.get(policy.rate, "") if policy else ""

    def _left_out(self) -> bool:
        return not self._budgets[Rate.GENERAL] or random.random() * self._sample >= 1  # noqa: S311 - a sample, no secret

    def _cost(self) -> int:
        policy = current_policy()
        return self._sample if policy and policy.rate is Rate.GENERAL else 1


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


def _limit(
    budget: Callable[[], str],
    key: Callable[[], str],
    kind: str,
    *,
    cost: int | Callable[[], int] = 1,
    exempt_when: Callable[[], bool] | None = None,
) -> Limit:
    def scope(_endpoint: str) -> str:
        policy = current_policy()
        return f"{kind}:{policy.rate if policy else Rate.GENERAL}"

    return Limit(budget, key_function=key, scope=scope, shared=True, cost=cost, exempt_when=exempt_when)


def _anonymous() -> bool:
    return current_account() is None


def _no_login() -> bool:
    return current_policy() != SIGN_IN


def _account() -> str:
    account = current_account()
    return str(account.account_id) if account else "none"


def _login() -> str:
    """Who is tried from where. Read from the body before it is validated: nothing here trusts it.

    It never fails: flask-limiter takes any error of a key for a store that is away, and would begin to count anew.
    """
    if "login_key" not in g:
        try:
            sent = request.get_json(silent=True) if request.is_json else request.form
            text = sent.get("email") if isinstance(sent, Mapping) else None
            email = emails.normalized(text) if isinstance(text, str) else ""
        except (GranaryError, HTTPException, ValueError, OSError, RecursionError):
            email = ""  # the view will say what is wrong with it
        g.login_key = f"{address()}:{identity().pseudonyms.of('email', email)}"
    return cast(str, g.login_key)


def _refuse(breached: RequestLimit) -> Response:
    policy = current_policy()
    _log.warning("rate_limited", budget=policy.rate if policy else None, limit=str(breached.limit))
    response = problem(429, Code.RATE_LIMITED, f"too many requests: {breached.limit} are admitted; try again later")
    response.headers["Retry-After"] = str(max(1, breached.limit.get_expiry()))
    return response


def _checked(budget: str) -> None:
    try:
        parse_many(budget) if budget else ()
    except ValueError:
        message = "GRANARY_LIMITS_*: a budget reads like 30/minute;300/hour"
        raise ConfigurationError(Code.CONFIGURATION_INVALID, message) from None


def _store_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"memory", *_SCHEMES, *_SCHEMES.values()}:
        message = "GRANARY_LIMITS_STORE is a valkey:// or redis:// URL (memory:// for a single process)"
        raise ConfigurationError(Code.CONFIGURATION_INVALID, message)
    return f"{_SCHEMES.get(scheme, scheme)}://{rest}"
