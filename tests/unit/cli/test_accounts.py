"""`granary account` and `granary token`: what they do, what they print, and that no password is an argument."""

from __future__ import annotations

import json

import click
import psycopg
import pytest
from click.testing import CliRunner

from braingranary.accounts import audit
from braingranary.accounts.tokens import Tokens
from braingranary.catalog.schema.migrate import migrate
from braingranary.cli.main import main
from braingranary.settings import load_accounts_settings

EMAIL = "somebody@example.org"
PASSWORD = "correct horse battery"


def run(*arguments: str, stdin: str | None = None, status: int = 0) -> str:
    result = CliRunner().invoke(main, list(arguments), input=stdin)
    assert result.exit_code == status, result.output
    return result.output.strip()


def set_keys(monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
    for line in printed.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.strip("'"))


@pytest.fixture
def dsn(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    migrate(postgres_dsn)
    monkeypatch.setenv("GRANARY_ACCOUNTS_DSN", postgres_dsn)
    set_keys(monkeypatch, run("account", "keys"))
    return postgres_dsn


@pytest.mark.stack
def test_account_goes_from_its_making_to_its_end(dsn: str) -> None:
    assert run("account", "create", EMAIL, "--password-stdin", stdin=PASSWORD + "\n").endswith(": reader")
    assert "there is an account" in run(
        "account", "create", EMAIL.upper(), "--password-stdin", stdin=PASSWORD, status=1
    )
    assert run("account", "role", EMAIL, "operator").endswith(": operator")
    claims = Tokens.from_settings(load_accounts_settings()).read(run("token", "make", EMAIL, "--hours", "5"))
    assert run("account", "revoke", EMAIL).endswith("everywhere")
    assert run("account", "disable", EMAIL).endswith("disabled")
    assert "disabled" in run("token", "make", EMAIL, status=1)
    assert run("account", "disable", EMAIL, "--undo").endswith("open")
    assert len(run("account", "invite", "--role", "admin")) > 40
    assert "no account" in run("account", "revoke", "nobody@example.org", status=1)
    with psycopg.connect(dsn) as connection:
        lines = audit.page(connection, limit=20)[::-1]
        row = connection.execute("SELECT password_hash FROM account.account").fetchone()
    assert [line.event for line in lines] == [
        "sign_up", "role_changed", "token_made", "tokens_revoked", "account_disabled", "account_enabled", "invited",
    ]  # fmt: skip
    assert {line.origin for line in lines} == {"command"}
    assert claims.account_id == lines[0].account_id
    assert row is not None
    assert row[0].startswith("$argon2id$")


@pytest.mark.stack
def test_create_asks_for_the_password_twice_and_shows_it_never(dsn: str) -> None:
    output = run("account", "create", EMAIL, "--role", "admin", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert output.endswith(": admin")
    assert PASSWORD not in output
    assert "10 to 256" in run("account", "create", "b@example.org", "--password-stdin", stdin="short\n", status=1)


def test_keys_added_to_known_ones_keep_the_old_key_and_sign_with_the_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANARY_ACCOUNTS_DSN", "postgresql://nobody@127.0.0.1:9/none")
    first = run("account", "keys")
    set_keys(monkeypatch, first)
    monkeypatch.setenv("GRANARY_ACCOUNTS_CURRENT_KID", "old")
    known = json.loads(first.splitlines()[0].partition("=")[2].strip("'"))
    monkeypatch.setenv("GRANARY_ACCOUNTS_KEYS", json.dumps({"old": next(iter(known.values()))}))
    added = run("account", "keys", "--add")
    set_keys(monkeypatch, added)
    settings = load_accounts_settings()
    assert len(settings.keys) == 2
    assert settings.current_kid != "old"
    assert settings.hash_key.get_secret_value() in first


def test_no_command_takes_a_password_as_an_argument() -> None:
    for name in ("account", "token"):
        group = main.get_command(click.Context(main), name)
        assert isinstance(group, click.Group)
        for command in group.commands.values():
            for parameter in command.params:
                assert parameter.name != "password"
