"""The archives that can be ingested from, by kind. Adding one: docs/how-to/add-an-archive.md."""

from __future__ import annotations

from typing import Any, Final

from braingranary.archives.base import ArchiveKind
from braingranary.archives.tcia.kind import TCIA
from braingranary.errors import Code, ConfigurationError

ARCHIVE_KINDS: Final[dict[str, ArchiveKind[Any]]] = {TCIA.kind: TCIA}


def archive_kind(kind: str) -> ArchiveKind[Any]:
    """The archive of that kind; raises ConfigurationError(CONFIGURATION_INVALID) where there is none."""
    try:
        return ARCHIVE_KINDS[kind]
    except KeyError:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"no archive of the kind {kind!r} is registered") from None
