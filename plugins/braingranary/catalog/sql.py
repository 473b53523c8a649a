"""Where SQL text comes from: the folder sql/ of a checkout, of an installed package, or wherever the setting says.

SQL lives in files alone, so that it can be linted, explained and read by people who write no Python. Goes in: the name
of a file under sql/. Comes out: its text, read once a process. Fails with ConfigurationError when sql/ is not there.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, LiteralString

import braingranary
from braingranary.errors import Code, ConfigurationError
from braingranary.settings import load_sql_settings

_PACKAGE: Final = Path(braingranary.__path__[0])
_INSTALLED: Final = _PACKAGE / "sql_files"
_CHECKOUT: Final = _PACKAGE.parent.parent / "sql"


@cache
def sql_folder() -> Path:
    """The folder sql/: GRANARY_SQL_FOLDER, else the one inside the installed package, else the checkout's."""
    configured = load_sql_settings().folder
    for folder in (configured,) if configured else (_INSTALLED, _CHECKOUT):
        if (folder / "migrations").is_dir():
            return folder
    raise ConfigurationError(Code.CONFIGURATION_INVALID, "no folder sql/ found: set GRANARY_SQL_FOLDER")


@cache
def statement(name: str) -> LiteralString:
    """Text of `sql/<name>.sql`; `name` is a constant of the code, never input, hence a literal to the driver."""
    text: LiteralString = (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")
    return text


@cache
def names(folder: str) -> tuple[str, ...]:
    """Names of the statements in one folder of sql/, in order."""
    return tuple(f"{folder}/{path.stem}" for path in sorted((sql_folder() / folder).glob("*.sql")))
