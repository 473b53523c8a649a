"""`.tcia` files: the manifests that TCIA's own pages hand out, read as hostile input.

Goes in: the text of a manifest, or plain UIDs one a line. Comes out: the SeriesInstanceUIDs. The server that a manifest
names is never connected to (the operator's own setting is), yet a forbidden one refuses the whole file, since whoever
wrote it meant harm. Fails with RejectedInput(MANIFEST_INVALID, ADDRESS_FORBIDDEN, UID_INVALID).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from braingranary.archives.addresses import AddressPolicy, checked_url
from braingranary.errors import Code, RejectedInput
from braingranary.storage.keys import checked_uid

SERIES_MAX: Final = 100_000
_LIST_KEY: Final = "ListOfSeriesToDownload"
_LINE_CHARS_MAX: Final = 4096
_SEPARATORS: Final = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TciaManifest:
    """What a `.tcia` file says: its series in the file's order, each once, and the server it names."""

    series_uids: tuple[str, ...]
    server_url: str | None = None


def parse_tcia_manifest(text: str, policy: AddressPolicy | None = None) -> TciaManifest:
    """The manifest in `text`; `policy` judges the address it names (default: public addresses only)."""
    values: dict[str, str] = {}
    lines = iter(text.removeprefix("\ufeff").splitlines())
    for line in lines:
        key, separator, value = line.strip().partition("=")
        if len(line) > _LINE_CHARS_MAX or (line.strip() and not separator):
            raise RejectedInput(Code.MANIFEST_INVALID, "a line of the manifest is not key=value")
        if key == _LIST_KEY:
            break
        if key:
            values[key] = value
    else:
        raise RejectedInput(Code.MANIFEST_INVALID, f"no {_LIST_KEY} in the manifest")
    server = values.get("downloadServerUrl") or None
    if server is not None:
        checked_url(server, policy or AddressPolicy())
    return TciaManifest(series_uids=_uids(lines), server_url=server)


def parse_series_list(text: str, policy: AddressPolicy | None = None) -> tuple[str, ...]:
    """UIDs from a `.tcia` manifest or from plain text with one UID a line (or between commas)."""
    if f"{_LIST_KEY}=" in text:
        return parse_tcia_manifest(text, policy).series_uids
    return _uids(_SEPARATORS.split(text.removeprefix("\ufeff")))


def _uids(lines: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for line in lines:
        if uid := line.strip():
            found[checked_uid(uid)] = None
        if len(found) > SERIES_MAX:
            raise RejectedInput(Code.MANIFEST_INVALID, f"more than {SERIES_MAX} series")
    if not found:
        raise RejectedInput(Code.MANIFEST_INVALID, "no series in the manifest")
    return tuple(found)
