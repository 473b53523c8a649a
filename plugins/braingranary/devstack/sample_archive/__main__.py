"""Command line of the sample archive: serve a folder of DICOM as NBIA v4 until ended by a signal."""

from __future__ import annotations

import signal
import threading
from datetime import date, datetime
from pathlib import Path
from types import FrameType

import click

from braingranary.devstack.sample_archive.faults import FaultRule
from braingranary.devstack.sample_archive.server import DEFLATE_LEVEL, SampleArchive


def _released(_context: click.Context, _parameter: click.Parameter, value: datetime | None) -> date | None:
    return value.date() if value else None


@click.command(help="Serve a folder of DICOM as an NBIA v4 archive.")
@click.option("--folder", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0 takes a free one and prints it.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds added before every answer.")
@click.option("--deflate-level", default=DEFLATE_LEVEL, show_default=True, type=click.IntRange(0, 9))
@click.option("--released", type=click.DateTime(["%Y-%m-%d"]), callback=_released, help="DateReleased of every series.")
@click.option("--fault", "faults", multiple=True, help="KIND[:key=value,...], e.g. short_zip:times=1,probability=0.5")
def main(  # noqa: PLR0917 - click passes them by name
    folder: Path,
    host: str,
    port: int,
    latency: float,
    deflate_level: int,
    released: date | None,
    faults: tuple[str, ...],
) -> None:
    """Serve until SIGINT or SIGTERM."""
    try:
        rules = tuple(FaultRule.parse(text) for text in faults)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from error
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with SampleArchive(
        folder,
        host=host,
        port=port,
        latency_s=latency,
        deflate_level=deflate_level,
        released=released,
        faults=rules,
    ) as archive:
        click.echo(f"serving {archive.series_count} series at {archive.url}")
        ended.wait()


if __name__ == "__main__":
    main()
