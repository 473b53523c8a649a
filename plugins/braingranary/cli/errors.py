"""Errors of the command line: one line with the stable code instead of a traceback, and an exit status for scripts.

Exit statuses are told in EXIT_STATUSES.
"""

from __future__ import annotations

from typing import Final

import click

from braingranary.errors import GranaryError, TransientFailure

EXIT_STATUSES: Final = "Exit status: 0 done, 1 refused or failed, 2 wrong arguments, 75 not possible now (try again)."
"""For the help of commands that scripts call."""
EXIT_REFUSED: Final = 1
EXIT_TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h."""


class CommandError(click.ClickException):
    """A GranaryError as click shows errors: `Error: <code>: <message>`, exit status 1."""

    exit_code = EXIT_REFUSED

    def __init__(self, error: GranaryError) -> None:
        super().__init__(f"{error.code}: {error.message}")


class TryAgainError(CommandError):
    """The same for a TransientFailure: exit status 75."""

    exit_code = EXIT_TRY_AGAIN


def command_error(error: GranaryError) -> CommandError:
    """What click raises for `error`."""
    return TryAgainError(error) if isinstance(error, TransientFailure) else CommandError(error)
