"""Case 35: 100 clients that read their download at 512 bytes per 10 s. Downloads of others start."""

from __future__ import annotations

import io
import socket
import time
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
import simplejpeg

from braingranary.records import Plane
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.fixtures.patience import PATIENCE_S
from tests.hostile.probing import probing
from tests.serving.nginx import NginxSite, nginx_site
from tests.serving.serving_site import fill_catalogue

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

READERS = 100
RECEIVE_BYTES = 4096
OTHER = "127.0.2.1"
PATH = "/api/v1/downloads.zip"
BYTES_MIN = 2_000_000  # more than nginx and the kernel hold in memory for one reader


def noise(number: int, plane: Plane, index: int) -> bytes:
    """A JPEG of about 60 kB, which hardly compresses."""
    generator = np.random.default_rng([number, list(Plane).index(plane), index])
    pixels = generator.integers(0, 256, (256, 256, 1), dtype=np.uint8)
    encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=95, colorspace="GRAY")
    return encoded


def slow_reader(found: NginxSite, source: str) -> socket.socket:
    """A client that asks for the download and takes 512 bytes of it."""
    client = found.connect(source, receive_bytes=RECEIVE_BYTES)
    client.sendall(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return client


def download(client: httpx.Client) -> tuple[float, bytes]:
    """One download: milliseconds to its first byte, and all of it. A client that is told to come back does so."""
    began = time.perf_counter()
    while True:
        with client.stream("GET", PATH) as answer:
            if answer.status_code == 200:
                parts = answer.iter_raw()
                first = next(parts)
                return (time.perf_counter() - began) * 1000, first + b"".join(parts)
            assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert time.perf_counter() - began < PATIENCE_S, "no download of others starts"
        time.sleep(0.1)


@pytest.mark.parametrize(
    "sources", [["127.0.1.1"], [f"127.0.1.{number}" for number in range(1, READERS + 1)]], ids=["one", "many"]
)
def test_case_35_slow_readers_leave_room_for_the_downloads_of_others(
    postgres_dsn: str,
    object_store: ObjectStore,
    s3_settings: StoreSettings,
    tmp_path: Path,
    sources: list[str],
) -> None:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(3), image=noise)
    with nginx_site(site, tmp_path / "site") as found, found.client(OTHER) as other, probing(found) as probe:
        readers = [slow_reader(found, sources[number % len(sources)]) for number in range(READERS)]
        statuses = [int(reader.recv(512).split(b" ")[1]) for reader in readers]
        first_byte_ms, length = [], 0
        for _ in range(5):
            waited_ms, content = download(other)
            first_byte_ms.append(waited_ms)
            length = len(content)
            assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
        for reader in readers:
            reader.close()
    assert probe.failures == []
    assert length > BYTES_MIN
    assert set(statuses) <= {200, 429, 503}
    print(
        f"case 35 slow readers from {len(sources)} addresses: {probe.summary()} download_bytes={length} "
        f"others_first_byte_ms_max={max(first_byte_ms):.0f} "
        f"slow_answers={ {status: statuses.count(status) for status in sorted(set(statuses))} }"
    )
