"""`granary wanted`: series that an archive announced and that are not staged yet."""

from __future__ import annotations

from pathlib import Path

import click

from braingranary.archives.wanted import Dismissal, count_wanted, dismiss, dismissals, outstanding, undo_dismissal
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


@wanted.command("dismiss", epilog=EXIT_STATUSES)
@click.argument("series_uid")
@click.option("--archive", required=True, help="Name of the archive, as `granary wanted list` shows it.")
@click.option("--by", required=True, help="Who decides, such as an e-mail address.")
@click.option("--why", required=True, help="The reason, for whoever looks later.")
@json_option
@state_option
def dismiss_series(  # noqa: PLR0917 - one argument an option
    folder: Path, series_uid: str, archive: str, by: str, why: str, as_json: bool
) -> None:
    """Stop wanting SERIES_UID, whatever its archive announces; the decision is kept."""
    _tell(as_json, [dismiss(object_store(folder), archive, series_uid, by, why)])


@wanted.command("dismissed", epilog=EXIT_STATUSES)
@click.option("--archive", required=True, help="Name of the archive.")
@json_option
@state_option
def list_dismissed(folder: Path, archive: str, as_json: bool) -> None:
    """Every series of an archive that a person has dismissed, with who, when and why."""
    _tell(as_json, dismissals(object_store(folder), archive))


@wanted.command("undo", epilog=EXIT_STATUSES)
@click.argument("series_uid")
@click.option("--archive", required=True, help="Name of the archive.")
@state_option
def undo(folder: Path, series_uid: str, archive: str) -> None:
    """Want a dismissed SERIES_UID again."""
    undo_dismissal(object_store(folder), archive, series_uid)
    click.echo(f"{series_uid} is wanted again")


def _tell(as_json: bool, found: list[Dismissal]) -> None:
    value = [
        {
            "archive": one.record.archive,
            "collection": one.record.collection,
            "series_uid": one.record.series_uid,
            "by": one.by,
            "why": one.why,
            "at": one.at,
            "attempts": one.attempts,
            "last_code": one.last_code,
        }
        for one in found
    ]
    lines = [
        f"{one.at:%Y-%m-%d} {one.record.collection} {one.record.series_uid} by {one.by}: {one.why}" for one in found
    ]
    tell(as_json, {"dismissed": value}, lines or ["nothing is dismissed"])
