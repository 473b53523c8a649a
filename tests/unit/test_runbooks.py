"""The runbooks of the pipeline say what is so: their commands parse, and what they name exists."""

from __future__ import annotations

import re
import shlex
from contextlib import nullcontext
from pathlib import Path

import click
import pytest

from braingranary.catalog.audit.report import FindingCode
from braingranary.cli.main import main
from braingranary.errors import Code
from serving.http import metrics
from serving.http.pipeline_metrics import PipelineMetrics

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(FOLDER.glob("*.md"))
LINE = re.compile(r"^\s*\$ granary (.+)$|`granary ([^`]+)`", re.MULTILINE)
COMMANDS = sorted({first or second for page in PAGES for first, second in LINE.findall(page.read_text())})
OUTSIDE = {"granary_alerts", "granary_archive", "granary_postgres", "granary_spark", "granary_tcia", "granary_s3"}
"""Connections and pools of Airflow."""

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def parse(arguments: list[str]) -> click.Context:
    """Read a command line as `granary` does, without running it."""
    name: str | None = "granary"
    command: click.Command | None = main
    context: click.Context | None = None
    while command is not None:
        context = command.make_context(name, arguments, parent=context)
        if not isinstance(command, click.Group):
            return context
        name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
    raise AssertionError(arguments)


@pytest.mark.parametrize("line", [line for line in COMMANDS if not line.startswith("--")])
def test_command_of_a_runbook_parses(line: str) -> None:
    assert parse(shlex.split(line))


def test_command_that_does_not_exist_would_be_found() -> None:
    for line in ("ingest --no-such tcia", "nothing", "audit --share 2"):
        with pytest.raises(click.UsageError):
            parse(shlex.split(line))


def test_runbooks_hold_the_commands_of_every_page() -> None:
    assert {line.split()[0] for line in COMMANDS} >= {"status", "ingest", "backfill", "rejects", "audit", "restore"}


@each_page
def test_page_says_how_one_sees_it_what_to_do_and_when_it_is_over(page: Path) -> None:
    if page.stem == "README":
        return
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    found = [heading for heading in headings if heading.startswith(("How one", "What to do"))]
    assert found == ["How one sees it", "What to do", "How one knows that it is over"]


@each_page
def test_metrics_and_codes_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    gauges = PipelineMetrics(nullcontext, lambda: None).describe()  # type: ignore[return-value,arg-type]
    known = {family.name for family in [*metrics.REGISTRY.collect(), *gauges]}
    assert set(re.findall(r"granary_[a-z_]+", text)) <= known | OUTSIDE
    told = {word for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text) if word.split("_")[0] in STEMS}
    assert told <= set(Code) | set(FindingCode) | NOT_CODES


STEMS = {
    "archive", "catalog", "checksum", "content", "dicom", "download", "modality", "object", "raw", "run", "series",
    "weights", "zip", "address",
}  # fmt: skip
NOT_CODES = {"catalog_load", "catalog_audit", "object_store", "object_read_resumed"}
"""DAGs, parts of /readyz and lines of logs."""


@each_page
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert (page.parent / target).is_file(), target


def test_index_lists_every_page() -> None:
    listed = set(re.findall(r"\]\(([a-z0-9-]+\.md)\)", (FOLDER / "README.md").read_text()))
    assert listed == {page.name for page in PAGES} - {"README.md"}
