"""What the command line chooses becomes one run with one name."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from braingranary.devstack import source
from braingranary.devstack.sample_archive import answers
from braingranary.devstack.sample_archive.index import FolderIndex
from braingranary.devstack.source import Choice
from braingranary.errors import ConfigurationError
from tests.fixtures.archive import add_series, override


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


def test_folder_without_dicom_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "notes.dcm").write_text("no DICOM")
    with pytest.raises(ConfigurationError, match="no DICOM series"):
        source.check_folder(Choice(dicom=tmp_path))
    uid = add_series(tmp_path, 1, collection="Heads", slices=2)
    source.check_folder(Choice(dicom=tmp_path))
    assert uid in FolderIndex(tmp_path).series
    with pytest.raises(ConfigurationError, match="collection Other"):
        source.check_folder(Choice(dicom=tmp_path, collection="Other"))


def test_folder_as_laboratories_have_it_is_indexed_whole(tmp_path: Path) -> None:
    """Some files name a patient and others none, some are gzipped or links, and one link leads in a circle."""
    folder, elsewhere = tmp_path / "scans", tmp_path / "elsewhere"
    named = add_series(folder, 1, collection="Mixed", slices=2)
    nameless = add_series(folder, 2, collection="Mixed", slices=2, header={"PatientID": None})
    linked = add_series(elsewhere, 3, collection="Linked", slices=2)
    gzipped = add_series(folder, 4, collection="Gzipped", slices=2)
    plain = {path.name: path.read_bytes() for path in (folder / "Gzipped" / "series-4").iterdir()}
    for path in (folder / "Gzipped" / "series-4").iterdir():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    (folder / "Linked").symlink_to(elsewhere / "Linked")
    (folder / "Mixed" / "circle").symlink_to(folder)
    (folder / "Mixed" / "broken.dcm.gz").write_bytes(b"\x1f\x8b broken")
    series = FolderIndex(folder).series
    assert set(series) == {named, nameless, linked, gzipped}
    assert [file.open().read() for file in series[gzipped].files] == [plain[name] for name in sorted(plain)]
    assert series[gzipped].size == sum(map(len, plain.values()))
    assert all(len(one.files) == 2 for one in series.values())


def test_folder_that_tells_no_licence_has_none_in_its_records(tmp_path: Path) -> None:
    uid = add_series(tmp_path, 1, collection="Heads", slices=2)
    row = answers.series_row(FolderIndex(tmp_path).series[uid], None)
    assert not {"LicenseName", "LicenseURI", "DataDescriptionURI"} & row.keys()
    assert answers.license_text(FolderIndex(tmp_path).series[uid]) is None
    override(tmp_path, "Heads", LicenseName="CC0", LicenseURI="https://example.org/cc0")
    told = FolderIndex(tmp_path).series[uid]
    assert (answers.series_row(told, None)["LicenseName"], answers.license_text(told)) == (
        "CC0",
        "CC0\nhttps://example.org/cc0\n",
    )
