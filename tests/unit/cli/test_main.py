"""The command `granary` as a whole: help, version, missing extras, exit statuses, and where settings come from."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from braingranary.cli.errors import EXIT_REFUSED, EXIT_TRY_AGAIN
from braingranary.cli.lazy_group import LazyCommand, LazyGroup
from braingranary.cli.main import COMMANDS, main
from braingranary.cli.state_option import operator_settings
from braingranary.devstack.front_accounts import write_operator_settings
from braingranary.devstack.state import State
from braingranary.errors import Code, ConfigurationError, GranaryError, RejectedInput, TransientFailure
from braingranary.settings import DEMO_SETTINGS_FILE, load_accounts_settings, load_catalog_settings, load_store_settings
from tests.unit.cli.test_accounts import set_keys

GRANARY = Path(sysconfig.get_path("scripts")) / "granary"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GRANARY_")]:
        monkeypatch.delenv(name)


def subcommands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += subcommands(command, (*path, name))
    return found


def test_version_is_that_of_the_distribution() -> None:
    told = CliRunner().invoke(main, ["--version"]).output
    assert told == f"granary, version {metadata.version('braingranary')}\n"


@pytest.mark.parametrize("path", [(), *subcommands(main)], ids=" ".join)
def test_every_command_answers_short_help_with_its_first_sentence(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [*path, "-h"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: {' '.join(('main', *path))} ")


def test_help_imports_no_command() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from braingranary.cli.main import main;"
        "assert CliRunner().invoke(main, ['-h']).exit_code == 0;"
        "print([name for name in sys.modules if name.split('.')[0] in {'torch', 'flask', 'psycopg', 'boto3'}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_command_without_its_libraries_names_the_extra_that_brings_them() -> None:
    missing = LazyCommand(name="x", module="no_such_library", attribute="x", summary="", extra="serving")
    with pytest.raises(ConfigurationError, match=r"needs no_such_library: pip install 'braingranary\[serving\]'"):
        missing.load()


def test_every_extra_that_a_command_names_exists() -> None:
    offered = metadata.metadata("braingranary").get_all("Provides-Extra") or []
    assert {command.extra for command in COMMANDS if command.extra} <= set(offered)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RejectedInput(Code.NOT_FOUND, "no such thing"), EXIT_REFUSED),
        (ConfigurationError(Code.NOT_FOUND, "no such thing"), EXIT_REFUSED),
        (TransientFailure(Code.NOT_FOUND, "no such thing"), EXIT_TRY_AGAIN),
    ],
)
def test_error_is_one_line_with_its_code_and_a_status(error: GranaryError, status: int) -> None:
    group = LazyGroup("granary")

    @group.command("fail")
    def fail() -> None:
        raise error

    done = CliRunner().invoke(group, ["fail"])
    assert (done.exit_code, done.output) == (status, "Error: not_found: no such thing\n")


def test_demo_settings_are_used_only_where_the_environment_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = CliRunner().invoke(main, ["account", "keys", "--state", str(tmp_path)]).output
    with monkeypatch.context() as generated:
        set_keys(generated, keys)
        variables = {name: value for name, value in os.environ.items() if name.startswith("GRANARY_ACCOUNTS_")}
    dsn = "postgresql://granary:it%27s@127.0.0.1:1/granary"
    variables |= {"GRANARY_CATALOG_DSN": dsn, "GRANARY_ACCOUNTS_DSN": dsn, "GRANARY_S3_BUCKET": "demo"}
    assert operator_settings(tmp_path) is None

    write_operator_settings(State(tmp_path), {**variables, "GRANARY_LIMITS_STORE": "memory://"})
    found = operator_settings(tmp_path)
    assert found is not None
    assert found.stat().st_mode & 0o777 == 0o600
    assert load_catalog_settings(found).dsn.get_secret_value() == dsn
    assert load_store_settings(found).bucket == "demo"
    assert load_accounts_settings(found).current_kid == variables["GRANARY_ACCOUNTS_CURRENT_KID"]
    refused = CliRunner().invoke(main, ["model", "list", "--state", str(tmp_path)])
    assert (refused.exit_code, refused.output) == (
        EXIT_TRY_AGAIN,
        "Error: catalog_unavailable: no connection to the catalogue\n",
    )

    monkeypatch.setenv("GRANARY_S3_BUCKET", "real")
    assert operator_settings(tmp_path) is None
    unset = CliRunner().invoke(main, ["model", "list", "--state", str(tmp_path)])
    assert unset.exit_code == EXIT_REFUSED
    assert unset.output == "Error: configuration_invalid: set or correct GRANARY_CATALOG_*: dsn\n"


def test_clean_deletes_nothing_unless_told_or_confirmed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / DEMO_SETTINGS_FILE).touch()
    command = [str(GRANARY), "clean", "--state", str(folder)]
    refused = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (refused.returncode, folder.exists()) == (2, True)
    assert "--yes" in refused.stderr

    for answer, status, left in (("n", 1, True), ("y", 0, False)):
        keyboard, terminal = pty.openpty()
        os.write(keyboard, f"{answer}\n".encode())
        done = subprocess.run(command, stdin=terminal, capture_output=True, text=True, check=False)
        os.close(keyboard)
        os.close(terminal)
        assert (done.returncode, folder.exists()) == (status, left), done.stderr

    folder.mkdir()
    assert CliRunner().invoke(main, ["clean", "--yes", "--state", str(folder)]).exit_code == 0
    assert not folder.exists()
