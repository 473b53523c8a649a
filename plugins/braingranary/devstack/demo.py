"""`make demo`: the whole way of the data on one machine, from an archive to the front page, told while it happens.

In: what to ingest and where the state is kept. Out: a running stack, a catalogue that holds what was asked for, and a
closing page with what was ingested, addresses, logins and commands to try. Done twice it changes nothing. Fails with
GranaryError; the processes stay for a look, the next `make demo` repairs, `make stop` ends them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from braingranary.devstack import pipeline, services, source
from braingranary.devstack.pipeline import Counts, Pipeline
from braingranary.devstack.progress import Progress
from braingranary.devstack.servers.airflow import USER
from braingranary.devstack.servers.web import first_slice_path
from braingranary.devstack.source import Choice
from braingranary.devstack.stack import STACK_STAGES, Stack
from braingranary.devstack.state import State
from braingranary.devstack.summary import Summary, read_summary
from braingranary.orchestration.model_files import is_shipped
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

EXAMPLE_LOGIN: Final = '{"email": "you@example.org", "password": "a sentence that only you know"}'
_PIPELINE_TIMEOUT_S: Final = 1800.0
_TCIA_TIMEOUT_S: Final = 12 * 3600.0


def run(*, checkout: Path, state: State, choice: Choice, console: Console) -> Summary:
    """Start what is needed, ingest, and tell; returns what the catalogue holds then."""
    source.check_folder(choice)
    with state.locked():
        services.end_strays(state)  # before ports are chosen: a stray holds some
        stack = Stack(checkout=checkout, state=state, choice=choice)
        with Progress(console, [*STACK_STAGES, *pipeline.STAGES]) as progress:
            stack.start(progress)
            request = source.request_for(choice, stack.archive, stack.content)
            store = ObjectStore.from_settings(stack.store)
            timeout_s = _TCIA_TIMEOUT_S if choice.archive == "tcia" else _PIPELINE_TIMEOUT_S
            with stack.airflow.api() as api:
                chain = Pipeline(
                    api=api,
                    progress=progress,
                    counts=lambda: _counts(store, choice.archive_name),
                    timeout_s=timeout_s,
                    scores=is_shipped(),
                )
                chain.run(request)
            seconds = progress.seconds()
        summary = read_summary(stack.catalog_dsn)
        for remark in request.remarks:
            console.print(f"Note: {remark}", markup=False)
        _tell_ingested(console, summary)
        _tell_scores(console, summary)
        _tell_addresses(console, stack)
        _tell_seconds(console, seconds)
        return summary


def _counts(store: ObjectStore, archive: str) -> Counts:
    staged = sum(item.key.endswith(".receipt.json") for item in store.list(keys.raw_archive_prefix(archive)))
    normalized = sum(item.key.endswith("/sidecar.json") for item in store.list("normalized/"))
    return Counts(staged=staged, normalized=normalized)


def _tell_ingested(console: Console, summary: Summary) -> None:
    table = Table(title=f"In the catalogue: {summary.series} series, {summary.slices} slices", title_justify="left")
    for heading in ("", "name", "series", "slices"):
        table.add_column(heading, justify="right" if heading in {"series", "slices"} else "left")
    for kind, lines in (("collection", summary.collections), ("plane", summary.planes), ("reject", summary.rejects)):
        for line in lines:
            table.add_row(kind, escape(line.name), str(line.series), str(line.slices) if kind != "reject" else "")
        table.add_section()
    console.print(table)


def _tell_scores(console: Console, summary: Summary) -> None:
    if not summary.scores:
        console.print("Not scored for tumour: no weights come with the library.")
    for score in summary.scores:
        declined = f", {score.declined} declined" if score.declined else ""
        console.print(
            f"Scored for tumour by {escape(score.model)}: {score.series} series, {score.slices} slices; "
            f"{score.tumor} series called Tumor{declined}. Research only.",
            soft_wrap=True,
        )


def _tell_addresses(console: Console, stack: Stack) -> None:
    front = stack.front_door.base_url
    lines = [
        f"Front page   {front}/",
        f"API          {front}/api/v1/docs   health {front}/readyz, counts {front}/metrics",
        f"Airflow      {stack.airflow.base_url}/   login {USER}, password {stack.airflow.password}",
        "",
        "Try:",
        f"  curl -s '{front}/api/v1/series?limit=2'",
        f"  curl -s '{front}{first_slice_path(front) or '/ImageList'}' -o slice.jpg",
        f"  curl -s '{front}/Images/withtumor_ax' -o withtumor_ax.zip",
        f"  curl -s '{front}/authorization' -H 'Content-Type: application/json' -d '{EXAMPLE_LOGIN}'",
        "The last one signs up (or in) and answers a token, which `/detect` wants in the header `auth-token`.",
        "",
        "It stays up; `make stop` ends it.",
    ]
    # Plain and unwrapped, so that a line can be copied as a whole.
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _tell_seconds(console: Console, seconds: dict[str, float]) -> None:
    told = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    console.print(f"Seconds: {told}", markup=False, highlight=False, soft_wrap=True)
