"""`granary account` and `granary token`: what an operator does to accounts from the shell.

Settings come from the environment (GRANARY_ACCOUNTS_*) or else from the demo. Passwords come from a prompt or from
standard input, never from the arguments, which every user of a machine may read. Whatever is done
stands in the audit trail with origin `command`.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from braingranary.accounts import directory, emails
from braingranary.accounts.audit import Actor, Connection
from braingranary.accounts.directory import Credentials
from braingranary.accounts.passwords import Passwords, check_new
from braingranary.accounts.records import Role
from braingranary.accounts.tokens import Tokens
from braingranary.cli.state_option import operator_settings, state_option
from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.settings import KEY_BYTES, load_accounts_settings

_ACTOR: Final = Actor(origin="command")
_role_choice: Final = click.Choice([str(role) for role in Role])


@click.group("account")
def account() -> None:
    """Accounts of the front door."""


@click.group("token")
def token() -> None:
    """Access tokens."""


@account.command("create")
@click.argument("email")
@click.option("--role", type=_role_choice, default=str(Role.READER), show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@state_option
def create(folder: Path, email: str, role: str, password_stdin: bool) -> None:
    """Make an account."""
    address = emails.normalized(email)
    password = _read_password(from_stdin=password_stdin)
    check_new(password, email=address)
    password_hash = Passwords(at_once=1).hash(password)
    with _connection(folder) as connection:
        made = directory.register(
            connection, _ACTOR, email=address, password_hash=password_hash, role=Role(role), how="command"
        )
    if made is None:
        raise RejectedInput(Code.ACCOUNT_EXISTS, "there is an account with this e-mail address")
    click.echo(f"account {made.account_id}: {role}")


@account.command("role")
@click.argument("email")
@click.argument("role", type=_role_choice)
@state_option
def set_role(folder: Path, email: str, role: str) -> None:
    """Give an account another role."""
    with _connection(folder) as connection:
        known = _account_of(connection, email)
        directory.set_role(connection, _ACTOR, known.account_id, Role(role))
    click.echo(f"account {known.account_id}: {role}")


@account.command("disable")
@click.argument("email")
@click.option("--undo", is_flag=True, help="Open it again.")
@state_option
def disable(folder: Path, email: str, undo: bool) -> None:
    """Shut an account with all its tokens."""
    with _connection(folder) as connection:
        known = _account_of(connection, email)
        directory.set_disabled(connection, _ACTOR, known.account_id, disabled=not undo)
    click.echo(f"account {known.account_id}: {'open' if undo else 'disabled'}")


@account.command("revoke")
@click.argument("email")
@state_option
def revoke(folder: Path, email: str) -> None:
    """Void every token of an account."""
    with _connection(folder) as connection:
        known = _account_of(connection, email)
        directory.revoke_all(connection, _ACTOR, known.account_id)
    click.echo(f"account {known.account_id}: signed out everywhere")


@account.command("invite")
@click.option("--role", type=_role_choice, default=str(Role.READER), show_default=True)
@click.option("--hours", type=click.IntRange(1, 24 * 30), default=72, show_default=True)
@state_option
def invite(folder: Path, role: str, hours: int) -> None:
    """Print an invitation that registers one account."""
    with _connection(folder) as connection:
        made = directory.invite(connection, _ACTOR, role=Role(role), lifetime=timedelta(hours=hours))
    click.echo(made)


@account.command("keys")
@click.option("--add", is_flag=True, help="Keep the keys of the settings for checking, and add a new one for signing.")
@state_option
def keys(folder: Path, add: bool) -> None:
    """Print generated keys as environment variables.

    To rotate: set what `--add` prints, restart, and take the old key out once the tokens that it signed have ended.
    """
    kid = f"k{datetime.now(UTC):%Y%m%d%H%M%S}"
    known: dict[str, Any] = {}
    hash_key = secrets.token_urlsafe(KEY_BYTES)
    if add:
        settings = load_accounts_settings(operator_settings(folder))
        known = {name: value.get_secret_value() for name, value in settings.keys.items()}
        hash_key = settings.hash_key.get_secret_value()
    known[kid] = secrets.token_urlsafe(KEY_BYTES)
    click.echo(f"GRANARY_ACCOUNTS_KEYS='{json.dumps(known)}'")
    click.echo(f"GRANARY_ACCOUNTS_CURRENT_KID={kid}")
    click.echo(f"GRANARY_ACCOUNTS_HASH_KEY={hash_key}")


@token.command("make")
@click.argument("email")
@click.option("--hours", type=click.IntRange(1, 24 * 30), default=1, show_default=True)
@state_option
def make(folder: Path, email: str, hours: int) -> None:
    """Print a token of an account, for a program that runs longer than a person's stays valid."""
    tokens = Tokens.from_settings(load_accounts_settings(operator_settings(folder)))
    with _connection(folder) as connection:
        known = _account_of(connection, email)
        if known.disabled:
            raise RejectedInput(Code.ACCOUNT_REQUIRED, "the account is disabled")
        directory.note_token(connection, _ACTOR, known.account_id, hours=hours)
    click.echo(
        tokens.issue(account_id=known.account_id, generation=known.token_generation, lifetime=timedelta(hours=hours))
    )


@contextmanager
def _connection(folder: Path) -> Iterator[Connection]:
    """One transaction as the login of the settings."""
    dsn = load_accounts_settings(operator_settings(folder)).dsn.get_secret_value()
    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.ACCOUNTS_UNAVAILABLE, "no connection to the accounts") from error
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedTable) as error:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "the schema is not there yet: migrate first") from error


def _account_of(connection: Connection, email: str) -> Credentials:
    found = directory.by_email(connection, emails.normalized(email))
    if found is None:
        raise RejectedInput(Code.NOT_FOUND, "there is no account with this e-mail address")
    return found


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return click.prompt("Password", hide_input=True, confirmation_prompt=True, type=str)
