"""What the command line chooses becomes one run with one name."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from braingranary.devstack import source
from braingranary.devstack.source import Choice
from braingranary.errors import ConfigurationError


class _Archive(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'[{"SeriesInstanceUID": "1.2.3"}, {"SeriesInstanceUID": "../x"}, {"SeriesInstanceUID": "1.2.1"}, {}]'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"" if "Collection=Empty" in self.path else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Address:
    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v4/"


@pytest.fixture
def archive() -> Iterator[_Address]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Archive)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield _Address(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_request_for_a_local_archive_lists_valid_series_and_tells_the_rest(archive: _Address) -> None:
    request = source.request_for(Choice(), archive, "built-in")
    assert request.conf == {"series": "1.2.1\n1.2.3", "modality": None}
    assert request.series_count == 2
    assert "2 series" in request.remarks[0]
    assert request.run_id == source.request_for(Choice(), archive, "built-in").run_id
    assert request.run_id != source.request_for(Choice(), archive, "other content").run_id
    assert request.run_id != source.request_for(Choice(limit=1), archive, "built-in").run_id


def test_request_for_nothing_is_told(archive: _Address) -> None:
    with pytest.raises(ConfigurationError, match="no DICOM series"):
        source.request_for(Choice(collection="Empty"), archive, "")


def test_request_for_tcia_asks_for_the_collection() -> None:
    request = source.request_for(Choice(archive="tcia", collection="UPENN-GBM", limit=3), None, "")
    assert request.conf == {"collection": "UPENN-GBM", "limit": 3}


@pytest.mark.parametrize(
    "choice",
    [
        {"archive": "idc"},
        {"archive": "tcia"},
        {"archive": "tcia", "collection": "X", "dicom": Path("/")},
        {"dicom": Path("/nowhere")},
        {"limit": 0},
    ],
)
def test_choice_that_makes_no_sense_is_told(choice: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        Choice(**choice)  # type: ignore[arg-type]


def test_content_digest_tells_every_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    first = source.content_digest(tmp_path)
    assert source.content_digest(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert source.content_digest(tmp_path) != first
