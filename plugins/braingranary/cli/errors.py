"""How a command of the shell tells an error: one line for people instead of a traceback, and exit status 1."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import click

from braingranary.errors import GranaryError

Arguments = ParamSpec("Arguments")


def told(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Make a GranaryError one line."""

    @functools.wraps(command)
    def wrapped(*arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        try:
            command(*arguments, **named)
        except GranaryError as error:
            raise click.ClickException(error.message) from error

    return wrapped
