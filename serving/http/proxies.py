"""Who is believed about a request that came through others: only the proxies that the settings name.

Why not ProxyFix alone: it believes whoever connects. A visitor who reaches the front door directly could then choose
the address that limits and logs know him by. Goes in: a WSGI application, networks, how many proxies stand in a row.
Comes out: a WSGI application; headers of strangers are left out before anything can read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_FORWARDED: Final = (
    "HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX", "HTTP_X_REAL_IP",
)  # fmt: skip


def within(address: str | None, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    if not networks:
        return False
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    return any(found in network for network in networks)


class TrustedProxies:
    """The application behind the proxies of `networks`, `hops` of them in a row."""

    def __init__(
        self, application: WSGIApplication, networks: Sequence[IPv4Network | IPv6Network], *, hops: int
    ) -> None:
        self._networks = networks
        self._direct = application
        self._behind = ProxyFix(application, x_for=hops, x_proto=hops, x_host=hops)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if within(environ.get("REMOTE_ADDR"), self._networks):
            return self._behind(environ, start_response)
        for name in _FORWARDED:
            environ.pop(name, None)
        return self._direct(environ, start_response)
