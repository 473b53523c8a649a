"""A click group whose commands are imported when they are used.

Why: `granary --version` must answer where only the library itself is installed, and listing the commands must not
import Flask, torch or the demo's services. A command whose libraries are missing says which extra brings them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from braingranary.cli.errors import command_error
from braingranary.errors import Code, ConfigurationError, GranaryError


@dataclass(frozen=True, kw_only=True)
class LazyCommand:
    """Where a command is, what it does in one line, and the extra of the distribution that it needs (None: none)."""

    name: str
    module: str
    attribute: str
    summary: str
    extra: str | None = None

    def load(self) -> click.Command:
        """Import the command.

        Raises:
            ConfigurationError: a library that the command needs is not installed.
        """
        try:
            command = getattr(importlib.import_module(self.module), self.attribute)
        except ModuleNotFoundError as error:
            if self.extra is None or (error.name or "").startswith("braingranary"):
                raise
            message = f"`granary {self.name}` needs {error.name}: pip install 'braingranary[{self.extra}]'"
            raise ConfigurationError(Code.CONFIGURATION_INVALID, message) from error
        assert isinstance(command, click.Command)  # noqa: S101 - narrows the type; the tests load every command
        return command


class LazyGroup(click.Group):
    """A group of LazyCommands that shows every GranaryError as one line."""

    def __init__(self, *arguments: Any, commands_on_use: Sequence[LazyCommand] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._on_use = {command.name: command for command in commands_on_use}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, without an import."""
        return sorted({*super().list_commands(ctx), *self._on_use})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        found = self._on_use.get(cmd_name)
        return found.load() if found else super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from their summaries, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._on_use[name].summary) for name in sorted(self._on_use)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a GranaryError becomes one line and an exit status."""
        try:
            return super().invoke(ctx)
        except GranaryError as error:
            raise command_error(error) from error
