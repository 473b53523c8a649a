"""Statements asked by libpq's own calls: the same rows and the same errors as by a cursor, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from braingranary.catalog.read import prepared

pytestmark = pytest.mark.stack
ECHO = "SELECT %(text)s::text, %(number)s::bigint + %(number)s::bigint, '100%%'"


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


def test_rows_are_those_of_a_cursor_as_text(connection: psycopg.Connection[Any]) -> None:
    values: dict[str, prepared.Value] = {"text": "é'\"%s{}", "number": 21}
    expected = connection.execute(ECHO, values).fetchall()
    for _ in range(3):
        found = prepared.rows(connection, ECHO, values)
        assert [tuple((column or b"").decode() for column in row) for row in found] == [
            tuple(str(column) for column in row) for row in expected
        ]


def test_lists_keep_their_order_and_nothing_is_null(connection: psycopg.Connection[Any]) -> None:
    text = "SELECT k, nullif(k, 2) FROM unnest(%(keys)s::bigint[]) AS k"
    assert prepared.rows(connection, text, {"keys": [3, 2, -1]}) == [(b"3", b"3"), (b"2", None), (b"-1", b"-1")]
    assert prepared.rows(connection, text, {"keys": []}) == []


def test_statement_is_planned_once_and_prepared_anew_where_the_server_forgot_it(
    connection: psycopg.Connection[Any],
) -> None:
    counted = "SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'rows%'"
    for number in range(4):
        assert prepared.rows(connection, ECHO, {"text": "", "number": number})[0][1] == str(2 * number).encode()
    assert connection.execute(counted).fetchone() == (1,)
    connection.execute("DEALLOCATE ALL")
    assert prepared.rows(connection, ECHO, {"text": "", "number": 4})[0][1] == b"8"
    assert connection.execute(counted).fetchone() == (1,)


def test_failing_statement_raises_what_a_cursor_raises_and_the_connection_goes_on(
    connection: psycopg.Connection[Any],
) -> None:
    divided = "SELECT 1 / %(by)s::bigint"
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            prepared.rows(connection, divided, {"by": 0})
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        prepared.rows(connection, divided, {"by": "many"})
    with pytest.raises(psycopg.errors.UndefinedTable):
        prepared.rows(connection, "SELECT 1 FROM nowhere", {})
    connection.execute("SET statement_timeout = 50")
    with pytest.raises(psycopg.errors.QueryCanceled):
        prepared.rows(connection, "SELECT pg_sleep(%(by)s::float)::text", {"by": 30})
    assert prepared.rows(connection, divided, {"by": 1}) == [(b"1",)]


def test_lost_connection_is_an_operational_error(connection: psycopg.Connection[Any], postgres_dsn: str) -> None:
    prepared.rows(connection, ECHO, {"text": "", "number": 1})
    with psycopg.connect(postgres_dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            prepared.rows(connection, ECHO, {"text": "", "number": 1})
