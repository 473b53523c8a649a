from __future__ import annotations

import pytest

from braingranary.archives.tcia.manifest import SERIES_MAX, parse_series_list, parse_tcia_manifest
from braingranary.errors import Code, RejectedInput

MANIFEST = """downloadServerUrl=https://public.cancerimagingarchive.net/nbia-download/servlet/DownloadServlet
includeAnnotation=true
noOfrRetry=4
databasketId=manifest-1.tcia
manifestVersion=3.0
ListOfSeriesToDownload=
1.3.6.1.4.1.14519.5.2.1.1
1.3.6.1.4.1.14519.5.2.1.2

1.3.6.1.4.1.14519.5.2.1.1
"""


def test_parse_tcia_manifest_keeps_order_and_drops_repeats() -> None:
    manifest = parse_tcia_manifest(MANIFEST)
    assert manifest.series_uids == ("1.3.6.1.4.1.14519.5.2.1.1", "1.3.6.1.4.1.14519.5.2.1.2")
    assert manifest.server_url is not None


def test_parse_tcia_manifest_windows_lines_and_mark_are_read() -> None:
    assert parse_tcia_manifest("\ufeff" + MANIFEST.replace("\n", "\r\n")) == parse_tcia_manifest(MANIFEST)


def test_parse_series_list_plain_text_is_split_at_anything() -> None:
    assert parse_series_list("1.2.3, 1.2.4\n1.2.5;1.2.3") == ("1.2.3", "1.2.4", "1.2.5")
    assert parse_series_list(MANIFEST) == parse_tcia_manifest(MANIFEST).series_uids


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.MANIFEST_INVALID),
        ("just text\n", Code.MANIFEST_INVALID),
        ("ListOfSeriesToDownload=\n", Code.MANIFEST_INVALID),
        ("ListOfSeriesToDownload=\n../../x\n", Code.UID_INVALID),
        ("x=" + "y" * 5000 + "\nListOfSeriesToDownload=\n1.2.3\n", Code.MANIFEST_INVALID),
        ("downloadServerUrl=file:///x\nListOfSeriesToDownload=\n1.2.3\n", Code.ADDRESS_FORBIDDEN),
    ],
)
def test_parse_tcia_manifest_bad_text_is_refused_with_its_code(text: str, code: Code) -> None:
    with pytest.raises(RejectedInput) as refused:
        parse_tcia_manifest(text)
    assert refused.value.code is code


def test_parse_tcia_manifest_endless_list_is_refused() -> None:
    text = "ListOfSeriesToDownload=\n" + "".join(f"1.2.{number}\n" for number in range(SERIES_MAX + 1))
    with pytest.raises(RejectedInput) as refused:
        parse_tcia_manifest(text)
    assert refused.value.code is Code.MANIFEST_INVALID
