"""Bodies that NBIA, or something in front of it, answers with: records, none found, or a typed failure."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

from braingranary.archives.base import Query
from braingranary.archives.retries import Politeness
from braingranary.archives.tcia.client import TciaArchive, TciaSettings
from braingranary.archives.tcia.manifest import parse_series_list
from braingranary.archives.tcia.records import parse_rows
from braingranary.errors import Code, TransientFailure

ROW = {"SeriesInstanceUID": "1.2.3", "Modality": "MR", "Collection": "Köpfe"}
HEADER = "Subject ID,Series Instance UID,Series Description,Modality"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_parse_rows_json_is_read_with_and_without_byte_order_mark(encoding: str) -> None:
    assert parse_rows(json.dumps([ROW], ensure_ascii=False).encode(encoding)) == [ROW]
    assert parse_rows("[]".encode(encoding)) == []


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_parse_rows_empty_body_is_none_found(body: bytes) -> None:
    assert parse_rows(body) == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_parse_rows_csv_is_read_whatever_ends_its_lines(line_end: str, encoding: str) -> None:
    text = line_end.join([HEADER, 'P1,1.2.3,"T1, two\rlines",MR', "P2,1.2.4,,MR"])
    first, second = parse_rows(text.encode(encoding))
    assert first["Series Description"] == "T1, two\rlines"
    assert second == {"Subject ID": "P2", "Series Instance UID": "1.2.4", "Modality": "MR"}


@pytest.mark.parametrize(
    "body",
    [
        b"SeriesInstanceUID, which is required, was not given",
        b"SeriesInstanceUID",
        b"No such collection",
        b"busy\rplease wait, SeriesInstanceUID\r1.2.3",
        b"null",
        b"OK",
        b"\xff\xfe[\0]\0",
        b"[{]",
        b"[" * 100_000,
        b'{"error": "timeout"}',
        b'["1.2.3"]',
        b"<?xml version='1.0'?>",
        f"{HEADER}\nP1,1.2.3,T1,MR\nconnection reset".encode(),
        f"{HEADER}\nP1,1.2.3,{'x' * 200_000},MR".encode(),
    ],
)
def test_parse_rows_anything_else_is_a_failure_and_never_an_empty_list(body: bytes) -> None:
    with pytest.raises(TransientFailure) as caught:
        parse_rows(body)
    assert caught.value.code is Code.ARCHIVE_ANSWER_INVALID


def archive_answering(body: bytes, headers: dict[str, str]) -> TciaArchive:
    archive = TciaArchive(TciaSettings(base_url="https://example.org/v4/", politeness=Politeness(attempts=1)))
    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=iter([body])))
    archive._client = httpx.Client(transport=answer)
    return archive


def test_series_compressed_answer_is_inflated() -> None:
    body = gzip.compress(json.dumps([ROW]).encode())
    with archive_answering(body, {"Content-Encoding": "gzip"}) as archive:
        assert [record.series_uid for record in archive.series(Query())] == ["1.2.3"]


def test_series_broken_compression_is_a_transient_failure() -> None:
    with (
        archive_answering(b"no gzip", {"Content-Encoding": "gzip"}) as archive,
        pytest.raises(TransientFailure),
    ):
        list(archive.series(Query()))


def test_parse_series_list_byte_order_mark_is_no_part_of_the_first_uid() -> None:
    assert parse_series_list("\ufeff1.2.3\r\n1.2.4") == ("1.2.3", "1.2.4")
