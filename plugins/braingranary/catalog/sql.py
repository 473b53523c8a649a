"""Where SQL text comes from: the folder sql/ of a checkout, of an installed package, or wherever the setting says.

SQL lives in files alone, so that it can be linted, explained and read by people who write no Python. Goes in: the name
of a file under sql/. Comes out: its text, read once a process. Fails with ConfigurationError when sql/ is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, LiteralString

import braingranary
from braingranary.errors import Code, ConfigurationError
from braingranary.settings import load_sql_settings

_PACKAGE: Final = Path(braingranary.__path__[0])
_INSTALLED: Final = _PACKAGE / "sql_files"
_CHECKOUT: Final = _PACKAGE.parent.parent / "sql"
_SHAPES_KEPT: Final = 256
# One condition of WHERE: a line of AND four columns in, what is indented further below it, and what closes it.
_CONDITION: Final = re.compile(r"^    AND .*\n(?:     .*\n|    (?:END|\))\n)*", re.MULTILINE)
_VALUE: Final = re.compile(r"%\((\w+)\)s")
_WAY_OUT: Final = re.compile(r"%\((\w+)\)s(?:::\w+(?:\[\])?)?\s+IS NULL\s+OR\s+")


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


def without_nulls(text: LiteralString, values: Mapping[str, Any]) -> LiteralString:
    """`text` without the conditions whose first value is null, and without `%(value)s IS NULL OR` in the others.

    The former would filter nothing, and the planner would have to find that out each time. The latter would keep a plan
    that is made once for all values from looking into an index: it could not know that the value is there.
    """
    return _without(text, frozenset(name for name, value in values.items() if value is None))


@lru_cache(_SHAPES_KEPT)
def _without(text: LiteralString, nulls: frozenset[str]) -> LiteralString:
    def kept(condition: re.Match[str]) -> str:
        first = _VALUE.search(condition[0])
        if first is not None and first[1] in nulls:
            return ""
        return _WAY_OUT.sub(lambda way: way[0] if way[1] in nulls else "", condition[0])

    left: LiteralString = _CONDITION.sub(kept, text)
    return left
