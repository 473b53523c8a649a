"""`granary wanted`: series that an archive announced and that are not staged yet."""

from __future__ import annotations

from pathlib import Path

import click

from braingranary.archives.wanted import count_wanted, outstanding
from braingranary.cli.errors import EXIT_STATUSES
from braingranary.cli.operations import json_option, object_store, tell
from braingranary.cli.state_option import state_option


@click.group("wanted", epilog=EXIT_STATUSES)
def wanted() -> None:
    """Series that an archive announced and that are not staged yet."""


@wanted.command("list", epilog=EXIT_STATUSES)
@click.option("--archive", help="Only those of the archive of this name.")
@json_option
@state_option
def list_wanted(folder: Path, archive: str | None, as_json: bool) -> None:
    """Every wanted series, the longest waiting first, with the attempts at it and what the last one met."""
    store = object_store(folder)
    names = [archive] if archive else sorted(count_wanted(store))
    found = [entry for name in names for entry in outstanding(store, name)]
    value = [
        {
            "archive": entry.record.archive,
            "collection": entry.record.collection,
            "series_uid": entry.record.series_uid,
            "since": entry.since,
            "attempts": entry.attempts,
            "last_attempt_at": entry.last_attempt_at,
            "last_code": entry.last_code,
            "last_detail": entry.last_detail,
        }
        for entry in found
    ]
    lines = [
        f"{entry.since:%Y-%m-%d} {entry.attempts:3} attempts {entry.last_code or '-':22}"
        f" {entry.record.archive}/{entry.record.collection} {entry.record.series_uid}"
        for entry in found
    ]
    tell(as_json, {"wanted": value}, lines or ["nothing is wanted"])
