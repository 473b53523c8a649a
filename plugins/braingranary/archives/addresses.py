"""Where we are willing to connect: public addresses over http(s), and private ones only where the operator says so.

A manifest, a record or a redirect can name any address, also ones that only machines inside a network reach (metadata
services, databases). So a name is resolved once, every address it resolves to is judged, and the connection is made to
that very address: a name that resolves differently a moment later (DNS rebinding) cannot slip through, nor can other
spellings of an address (decimal, octal, IPv4 inside IPv6), because what is judged is what is connected to.
Fails with RejectedInput(ADDRESS_FORBIDDEN) before any connection.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpcore
import httpx

from braingranary.errors import Code, RejectedInput

SCHEMES: Final = frozenset({"http", "https"})
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
READ_BYTES: Final = 256 * 1024  # httpcore asks for 64 KiB; a scan is read with a fourth of the calls
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """What may be connected to. `private_hosts` are `host:port` pairs that the operator trusts although private."""

    schemes: frozenset[str] = SCHEMES
    private_hosts: frozenset[str] = field(default=frozenset())

    @classmethod
    def trusting(cls, url: str) -> AddressPolicy:
        """Public addresses, and the one host and port of `url`: for an archive on the operator's own machine."""
        host, port = _host_and_port(url)
        return cls(private_hosts=frozenset({f"{host}:{port}"}))

    def trusts(self, host: str, port: int) -> bool:
        """Whether the operator named this private host and port."""
        return f"{host.lower().rstrip('.')}:{port}" in self.private_hosts


def checked_url(url: str, policy: AddressPolicy) -> str:
    """`url` where its scheme and, if it is a literal, its address are allowed; asks no name server.

    Names are judged when they are connected to, by `GuardedTransport`. Raises RejectedInput(ADDRESS_FORBIDDEN).
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in policy.schemes or parts.username is not None or parts.password is not None:
        raise _forbidden("scheme or form of the address")
    host, port = _host_and_port(url)
    if policy.trusts(host, port):
        return url
    literal = _literal(host)
    if literal is not None and not is_public(literal):
        raise _forbidden("not a public address")
    if literal is None and (host == "localhost" or host.endswith(".localhost")):
        raise _forbidden("not a public name")
    return url


def is_public(address: _Address) -> bool:
    """Whether `address` is one of the public internet, also when it carries an IPv4 address inside."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        inner: Iterable[ipaddress.IPv4Address | None] = (
            address.ipv4_mapped,
            address.sixtofour,
            *(address.teredo or ()),
            ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None,
        )
        if any(not is_public(item) for item in inner if item is not None):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolved(host: str, port: int, policy: AddressPolicy) -> list[str]:
    """Numeric addresses to try for `host`, every one allowed; raises RejectedInput, or OSError as getaddrinfo does.

    One forbidden address among several refuses the host: a name that mixes them is not an archive's.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numeric = list(dict.fromkeys(str(item[4][0]) for item in found))
    if not policy.trusts(host, port) and not all(is_public(ipaddress.ip_address(item)) for item in numeric):
        raise _forbidden("not a public address")
    return numeric


class _WideStream(httpcore.NetworkStream):
    """A connection that is read in large pieces: parsing them costs by the piece."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max(max_bytes, READ_BYTES), timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _WideStream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to the address that was judged, never to a name."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = resolved(host.strip("[]"), port, self._policy)
        except OSError as error:
            raise httpcore.ConnectError("the name does not resolve") from error
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
                return _WideStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport with every connection judged by `policy`. Proxies of the environment are not used."""

    def __init__(self, policy: AddressPolicy, *, connections: int) -> None:
        super().__init__(trust_env=False)
        # httpx takes no network backend, httpcore does; a test with a listening socket holds that this one is used.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
            network_backend=_GuardedBackend(policy),
        )


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise _forbidden("the port is none") from None
    host = parts.hostname
    if not host:
        raise _forbidden("no host")
    return host.lower().rstrip("."), port if port is not None else DEFAULT_PORTS.get(parts.scheme.lower(), 0)


def _literal(host: str) -> _Address | None:
    """The address that `host` spells in any of the forms that C libraries read, None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # inet_aton reads 2130706433, 0x7f.1 and 0177.0.0.1, as connect() does.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _forbidden(why: str) -> RejectedInput:
    return RejectedInput(Code.ADDRESS_FORBIDDEN, f"refused before connecting: {why}")
