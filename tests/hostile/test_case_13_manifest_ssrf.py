"""Case 13: manifests, settings and redirects that point inside. Refused before any connection is made."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from braingranary.archives.addresses import AddressPolicy
from braingranary.archives.base import Query
from braingranary.archives.tcia.client import TciaArchive, TciaSettings
from braingranary.archives.tcia.manifest import parse_tcia_manifest
from braingranary.devstack.sample_archive import Fault, FaultRule, SampleArchive
from braingranary.errors import Code, GranaryError, RejectedInput
from tests.fixtures.archive import QUICK, add_series, client

PUBLIC_ADDRESS = "1.1.1.1"
INSIDE = (
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://10.0.0.1/",
    "http://user:secret@127.0.0.1:{port}/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http://:{port}/",
)


class Listener:
    """A socket on loopback that counts who connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._accept)
        self.port = self._socket.getsockname()[1]
        self.connects = 0
        self._thread.start()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.connects += 1
            connection.close()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listener:
        yield listener


def ask(url: str, policy: AddressPolicy | None = None) -> None:
    settings = TciaSettings(base_url=url, policy=policy or AddressPolicy(), politeness=QUICK)
    with TciaArchive(settings) as archive:
        list(archive.series(Query()))


@pytest.mark.hostile
def test_listener_trusted_address_is_connected_to(listener: Listener) -> None:
    """The counter counts: the very address that is refused below is reached where the operator trusts it."""
    url = f"http://127.0.0.1:{listener.port}/"
    with pytest.raises(GranaryError):
        ask(url, AddressPolicy.trusting(url))
    assert listener.connects > 0


@pytest.mark.hostile
def test_archive_inside_addresses_are_refused_before_connecting(listener: Listener) -> None:
    for form in INSIDE:
        with pytest.raises(RejectedInput) as refused:
            ask(form.format(port=listener.port))
        assert refused.value.code is Code.ADDRESS_FORBIDDEN, form
        text = f"downloadServerUrl={form.format(port=listener.port)}\nListOfSeriesToDownload=\n1.2.3\n"
        with pytest.raises(RejectedInput) as refused:
            parse_tcia_manifest(text)
        assert refused.value.code is Code.ADDRESS_FORBIDDEN, form
    assert listener.connects == 0
    print(f"case 13 manifest_ssrf: connects={listener.connects} of {len(INSIDE)} addresses")


@pytest.mark.hostile
def test_archive_redirect_inside_is_not_followed(listener: Listener, tmp_path: Path) -> None:
    add_series(tmp_path, 1)
    inside = f"http://127.0.0.1:{listener.port}/"
    with SampleArchive(tmp_path) as server, client(server) as archive:
        record = next(archive.series(Query()))
        server.plan.add(FaultRule(fault=Fault.REDIRECT, endpoint=None, location=inside))
        with pytest.raises(RejectedInput) as refused:
            list(archive.series(Query()))
        assert refused.value.code is Code.ADDRESS_FORBIDDEN
        with pytest.raises(RejectedInput) as refused, archive.fetch(record) as chunks:
            list(chunks)
        assert refused.value.code is Code.ADDRESS_FORBIDDEN
    assert listener.connects == 0
    print(f"case 13 redirect: connects={listener.connects}")


@pytest.mark.hostile
def test_archive_name_that_rebinds_is_connected_to_what_was_judged(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is public when it is judged and loopback ever after: the connection still goes to the public one."""
    asked: list[str] = []
    connected: list[Any] = []

    def rebinding(host: str, port: int, *_rest: Any, **_named: Any) -> list[Any]:
        asked.append(host)
        address = PUBLIC_ADDRESS if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def recorded(address: Any, *_rest: Any, **_named: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", recorded)
    with pytest.raises(RejectedInput) as refused:
        ask(f"http://rebind.example:{listener.port}/")
    assert refused.value.code is Code.ADDRESS_FORBIDDEN  # the second attempt resolves to loopback
    assert connected == [(PUBLIC_ADDRESS, listener.port)]


@pytest.mark.hostile
def test_archive_name_with_one_inside_address_is_refused(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed(_host: str, port: int, *_rest: Any, **_named: Any) -> list[Any]:
        addresses = (PUBLIC_ADDRESS, "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", mixed)
    with pytest.raises(RejectedInput) as refused:
        ask(f"http://mixed.example:{listener.port}/")
    assert refused.value.code is Code.ADDRESS_FORBIDDEN
    assert listener.connects == 0
