"""Readers who leave: nothing more is asked or read for them, and nobody else notices."""

from __future__ import annotations

import json
import socket
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from serving.downloads.stream import Download
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.front_door_process import front_door_address
from tests.serving.own_site import planned
from tests.serving.serving_site import ServingSite

pytestmark = pytest.mark.stack
ADDRESS = "/api/v1/downloads.zip?query=withtumor_ax"


def audited(log: Path) -> list[dict[str, int]]:
    """What the audit trail tells of downloads, as far as lines are whole: the last may be in the making."""
    written = log.read_text().rpartition("\n")[0].splitlines()
    lines = [json.loads(line) for line in written if line.startswith("{")]
    return [line["facts"] for line in lines if line.get("audit_event") == "download"]


def ended(log: Path, count: int) -> bool:
    return len(audited(log)) == count


def test_nothing_is_asked_or_read_for_a_reader_who_has_left(site: ServingSite) -> None:
    with planned(site.dsn) as (plan, connection):
        reader = Download(plan, site.store, lambda: nullcontext(connection), lambda: True)
        connection.close()  # a question would fail
        stream = reader.stream(0, plan.length)
        documents = next(stream)  # known without one
        with pytest.raises(BrokenPipeError):
            next(stream)
        reader.close()
    assert len(documents) == plan.slices_at == reader.sent


def test_client_who_closes_gets_no_slices_and_the_door_answers_on(site: ServingSite, tmp_path: Path) -> None:
    log = tmp_path / "gunicorn.log"
    with front_door_address(site, log) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S) as client:
            client.sendall(f"GET {ADDRESS} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
            client.shutdown(socket.SHUT_WR)  # which is all that a server sees of a close
            answer = b"".join(iter(partial(client.recv, 65_536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        until(partial(ended, log, 1), "the download is not audited")
        whole = httpx.get(address + ADDRESS, timeout=PATIENCE_S, trust_env=False)
        until(partial(ended, log, 2), "the second download is not audited")
    assert head.startswith(b"HTTP/1.1 200")
    assert whole.content.startswith(body)
    assert 0 < len(body) < whole.content.index(b"\xff\xd8\xff")  # where the first JPEG begins
    left, stayed = audited(log)
    assert left["bytes_sent"] == len(body)
    assert stayed["bytes_sent"] == stayed["bytes"] == left["bytes"] == len(whole.content)
    assert "Traceback" not in log.read_text()
