"""Statements whose columns are passed on as the text that they come in, each asked by one blocking call of libpq.

Why beside psycopg's cursors: a cursor looks at the values, the types of what comes back and the socket in Python, and
takes the interpreter's lock again for every packet of a long answer. Where nothing is to be made of an answer, that is
most of what it costs, and the threads beside it wait for it. Here the lock is let go once, and taken once.

Goes in: a connection in autocommit or inside a transaction, a statement with `%(name)s` where values stand, each cast
to its type there, and the values. Comes out: rows of bytes. A statement is prepared once a connection, so it must be
one whose plan is right for any values; inside a transaction it is not. Fails as a cursor does, with psycopg's errors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, LiteralString, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from braingranary.catalog.db import Connection

Value: TypeAlias = "int | str | list[int]"
_VALUE: Final = re.compile(r"%\((\w+)\)s")
_known: WeakKeyDictionary[psycopg.Connection[Any], set[bytes]] = WeakKeyDictionary()


class _Statement(NamedTuple):
    name: bytes
    command: bytes
    values: tuple[str, ...]


def rows(connection: Connection, text: LiteralString, values: Mapping[str, Value]) -> list[tuple[bytes | None, ...]]:
    """Every row that the statement `text` answers, its columns as PostgreSQL writes them."""
    asked = _statement(text)
    result = _answer(connection, asked, [_written(values[name]) for name in asked.values])
    columns = range(result.nfields)
    return [tuple([result.get_value(row, column) for column in columns]) for row in range(result.ntuples)]


def _answer(connection: Connection, asked: _Statement, values: Sequence[bytes]) -> PGresult:
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        # A statement that turned out to be forgotten would take the whole transaction down.
        result = connection.pgconn.exec_params(asked.command, values)
        if result.status != ExecStatus.TUPLES_OK:
            raise _error(connection, result)
        return result
    known = _known.setdefault(connection, set())
    if asked.name in known:
        result = connection.pgconn.exec_prepared(asked.name, values)
        if result.status == ExecStatus.TUPLES_OK:
            return result
        error = _error(connection, result)
        if not isinstance(error, errors.InvalidSqlStatementName):
            raise error
        known.clear()  # psycopg has told the server to forget all statements, as it does behind a rollback
    result = connection.pgconn.prepare(asked.name, asked.command)
    if result.status == ExecStatus.COMMAND_OK:
        known.add(asked.name)
        result = connection.pgconn.exec_prepared(asked.name, values)
    if result.status != ExecStatus.TUPLES_OK:
        raise _error(connection, result)
    return result


def _error(connection: Connection, result: PGresult) -> psycopg.Error:
    if connection.pgconn.status != ConnStatus.OK:
        return psycopg.OperationalError("the connection is lost")  # which the server had no word left to tell
    return errors.error_from_result(result)


@cache
def _statement(text: LiteralString) -> _Statement:
    values = tuple(dict.fromkeys(_VALUE.findall(text)))
    command = _VALUE.sub(lambda value: f"${values.index(value[1]) + 1}", text).replace("%%", "%").encode()
    return _Statement(b"rows_" + hashlib.sha256(command).hexdigest()[:16].encode(), command, values)


def _written(value: Value) -> bytes:
    return f"{{{str(value)[1:-1]}}}".encode() if isinstance(value, list) else str(value).encode()
