"""The transaction of a load: one at a time, whole or not at all, with PostgreSQL's errors as ours.

A transaction that changes anything of what is searched (series and what they belong to, packs, labels, rejects,
predictions, the active model) also raises the one row of the table `catalogue_state` (`version`, `changed_at`); one
that changes nothing leaves it alone. Who keeps a copy of the catalogue asks for that row
(sql/queries/catalogue_state.sql) and reads the state and the rows in one REPEATABLE READ transaction. Two copies are
equal where both columns are.

Whatever is raised inside a load, nothing was changed. Errors are RejectedInput (CATALOG_CHECK_FAILED,
CATALOG_GATE_FAILED), TransientFailure (CATALOG_UNAVAILABLE) or ConfigurationError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from psycopg import sql as psql
from psycopg.pq import TransactionStatus

from braingranary.catalog import sql
from braingranary.errors import Code, ConfigurationError, GranaryError, RejectedInput, TransientFailure

Connection: TypeAlias = psycopg.Connection[Any]
WORK_MEM: Final = "64MB"  # of each sort and hash of a load; one load runs at a time
LOAD_LOCK: Final = 0x6272_6169_6E_02  # any constant of our own, beside the lock of migrations


@contextmanager
def load_transaction(connection: Connection) -> Iterator[None]:
    """One transaction that holds the load lock and sees what the load before it committed."""
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "a load wants a connection that is in no transaction")
    with mapped(), connection.transaction():
        # A snapshot taken before the lock is granted would miss the load that held it.
        connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOAD_LOCK])
        connection.execute("SELECT set_config('work_mem', %s, true)", [WORK_MEM])
        yield


@contextmanager
def mapped() -> Iterator[None]:
    """PostgreSQL's errors as ours; names of constraints are told, values never."""
    try:
        yield
    except GranaryError:
        raise
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.CardinalityViolation) as error:
        what = error.diag.constraint_name or type(error).__name__
        raise RejectedInput(Code.CATALOG_CHECK_FAILED, f"PostgreSQL refused the rows: {what}") from None
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, f"PostgreSQL: {type(error).__name__}") from error


def run_checks(connection: Connection, folder: str) -> None:
    """Run the checks of one folder of sql/: each is a query that answers no row when all is well."""
    failed = [
        name.rsplit("/", 1)[-1] for name in sql.names(folder) if connection.execute(sql.statement(name)).fetchall()
    ]
    if failed:
        raise RejectedInput(Code.CATALOG_CHECK_FAILED, f"checks that found rows: {', '.join(failed)}")


def run_gates(connection: Connection) -> None:
    """Run the quality gates of sql/checks/gates: each is a query that answers one row with one boolean.

    A check finds a row that cannot be; a gate doubts a whole run whose rows are possible each.

    Raises:
        RejectedInput: CATALOG_GATE_FAILED with the names of the gates that were not passed.
    """
    failed = [
        name.rsplit("/", 1)[-1]
        for name in sql.names("checks/gates")
        if connection.execute(sql.statement(name)).fetchone() != (True,)
    ]
    if failed:
        raise RejectedInput(Code.CATALOG_GATE_FAILED, f"quality gates not passed: {', '.join(failed)}")


def run_merge(connection: Connection, name: LiteralString, values: Mapping[str, object] | None = None) -> int:
    """Run the statements of `sql/<name>.sql` (with `values` just one); returns how many rows they wrote."""
    written = 0
    with connection.cursor() as cursor:
        cursor.execute(sql.statement(name), values)
        while True:
            if (cursor.statusmessage or "").startswith(("INSERT", "UPDATE", "DELETE")):
                written += cursor.rowcount
            if not cursor.nextset():
                return written


def upsert(connection: Connection, table: LiteralString, *, key: LiteralString, staged: LiteralString) -> int:
    """Write the rows of the table `staged` into `table`, which has the same columns; returns how many rows."""
    columns = connection.execute(psql.SQL("SELECT * FROM {} LIMIT 0").format(psql.Identifier(table))).description or ()
    names = [psql.Identifier(column.name) for column in columns]
    assignments = psql.SQL(", ").join(psql.SQL("{0} = excluded.{0}").format(name) for name in names)
    statement = psql.SQL(
        "INSERT INTO {table} ({names}) SELECT {names} FROM {staged} ORDER BY {key}"
        " ON CONFLICT ({key}) DO UPDATE SET {assignments} WHERE {table} IS DISTINCT FROM excluded"
    ).format(
        table=psql.Identifier(table),
        names=psql.SQL(", ").join(names),
        staged=psql.Identifier(staged),
        key=psql.Identifier(key),
        assignments=assignments,
    )
    return connection.execute(statement).rowcount


def raise_catalogue_state(connection: Connection) -> None:
    """Tell whoever keeps a copy of the catalogue that this transaction has changed it."""
    connection.execute(sql.statement("load/90_raise_state"))


def leave_idle(connection: Connection) -> None:
    """End the transaction that a mere question began."""
    if connection.info.transaction_status == TransactionStatus.INTRANS and not connection.autocommit:
        connection.rollback()
