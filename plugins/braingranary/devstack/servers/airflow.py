"""Airflow of the embedded stack: its four components with LocalExecutor on the embedded PostgreSQL.

Why not `airflow standalone`: it never starts a component again that ended, as all but the API server do when PostgreSQL
goes away under them, and its components serve task logs on every network interface. supervisord restarts them, and the
API server, on the same machine, reads the logs from disk. What Airflow is comes from the checkout's
airflow.cfg.template; only what differs from machine to machine (ports, passwords, addresses) is added here, as
variables of the environment.

In: folders, ports, the addresses of the other services. Out: a running Airflow and its API client. Fails with
ConfigurationError when it does not become healthy; its log is in the state folder.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from braingranary.client.airflow import AirflowApi
from braingranary.devstack import processes
from braingranary.devstack.state import State
from braingranary.errors import Code, ConfigurationError
from braingranary.settings import StoreSettings

USER: Final = "admin"
PORT_COUNT: Final = 1  # API and pages
START_TIMEOUT_S: Final = 900.0
_COMPONENTS: Final = {
    "api-server": "api-server",
    "scheduler": "scheduler --skip-serve-logs",
    "dag-processor": "dag-processor",
    "triggerer": "triggerer --skip-serve-logs",
}
_SUPERVISOR: Final = """\
[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
pidfile = {home}/supervisord.pid
"""
_PROGRAM: Final = """
[program:{name}]
command = {python} -m airflow {arguments}
autorestart = true
; each try waits a second longer than the one before: hours, not a verdict about a database that is away
startretries = 100
stopasgroup = true
killasgroup = true
; the API server waits for clients that keep their connection, and never ends by itself
stopwaitsecs = 4
redirect_stderr = true
stdout_logfile = /dev/fd/1
stdout_logfile_maxbytes = 0
"""


@dataclass(frozen=True, kw_only=True)
class ArchiveAddress:
    """Where series come from: the base address of an NBIA API, and the archive's name in keys."""

    base_url: str
    name: str


class AirflowServer:
    """One Airflow of one state folder for one checkout."""

    def __init__(
        self,
        *,
        state: State,
        checkout: Path,
        ports: list[int],
        database_dsn: str,
        catalog_dsn: str,
        store: StoreSettings,
        archive: ArchiveAddress,
        base_environment: Mapping[str, str],
    ) -> None:
        self.name = "airflow"
        self.start_timeout_s = START_TIMEOUT_S
        self._state = state
        self._checkout = checkout
        self._ports = ports
        self._database_dsn = database_dsn
        self._catalog_dsn = catalog_dsn
        self._store = store
        self._archive = archive
        self._base_environment = base_environment
        self._home = state.root / "airflow"
        self.password = state.secret("airflow_admin")

    @property
    def base_url(self) -> str:
        """Where pages and API answer."""
        return f"http://127.0.0.1:{self._ports[0]}"

    def api(self) -> AirflowApi:
        """A client of its API, logged in as the administrator."""
        return AirflowApi(base_url=self.base_url, user=USER, password=self.password)

    def command(self) -> processes.Command:
        """What starts it; made anew it is equal as long as nothing of the configuration changed."""
        python, conf = shlex.quote(sys.executable), shlex.quote(str(self._home / "supervisord.conf"))
        return processes.Command(
            name=self.name,
            argv=[
                "/bin/sh",
                "-c",
                f"{python} -m airflow db migrate && exec {python} -m supervisor.supervisord -c {conf}",
            ],
            env=self.environment(),
            cwd=self._home,
            log=self._state.logs / "airflow.log",
            owner=self._state.root,
            stop_grace_s=5.0,
        )

    def prepare(self) -> None:
        """Write its home folder: configuration as the repository has it, components, the administrator's password."""
        template = self._checkout / "airflow.cfg.template"
        if not template.is_file():
            raise ConfigurationError(Code.CONFIGURATION_INVALID, f"{template} is missing")
        self._state.write("airflow/airflow.cfg", template.read_text())
        self._state.write("airflow/passwords.json", json.dumps({USER: self.password}), mode=0o600)
        programs = [
            _PROGRAM.format(name=name, python=sys.executable, arguments=arguments)
            for name, arguments in _COMPONENTS.items()
        ]
        self._state.write("airflow/supervisord.conf", _SUPERVISOR.format(home=self._home) + "".join(programs))

    def healthy(self) -> bool:
        """Whether every component is healthy now."""
        with self.api() as api:
            return api.healthy()

    def environment(self) -> dict[str, str]:
        """The whole environment of the process: what the template leaves open, and the Connections."""
        (api_port,) = self._ports
        asynchronous = self._database_dsn.replace("postgresql://", "postgresql+asyncpg://", 1)
        return {
            **self._base_environment,
            "GRANARY_HOME": str(self._checkout),
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._database_dsn.replace("postgresql:", "postgresql+psycopg2:", 1),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": asynchronous,
            "AIRFLOW__CORE__FERNET_KEY": self._state.secret("airflow_fernet", _fernet_key),
            "AIRFLOW__API_AUTH__JWT_SECRET": self._state.secret("airflow_jwt", _long_secret),
            "AIRFLOW__API__SECRET_KEY": self._state.secret("airflow_api"),
            "AIRFLOW__API__PORT": str(api_port),
            "AIRFLOW__API__BASE_URL": self.base_url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.base_url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._home / "passwords.json"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self._home / "logs"),
            **self._connections(),
        }

    def _connections(self) -> dict[str, str]:
        secret = self._store.secret_key.get_secret_value() if self._store.secret_key else None
        catalog = urlsplit(self._catalog_dsn)
        connections: dict[str, dict[str, object]] = {
            "GRANARY_S3": {
                "conn_type": "aws",
                "login": self._store.access_key,
                "password": secret,
                "extra": {
                    "endpoint_url": self._store.endpoint_url,
                    "region_name": self._store.region,
                    "bucket": self._store.bucket,
                },
            },
            "GRANARY_POSTGRES": {
                "conn_type": "postgres",
                "host": catalog.hostname,
                "port": catalog.port,
                "login": unquote(catalog.username or ""),
                "password": unquote(catalog.password or ""),
                "schema": catalog.path.removeprefix("/"),
            },
            "GRANARY_TCIA": {
                "conn_type": "http",
                "host": self._archive.base_url,
                "extra": {"archive": self._archive.name},
            },
            "GRANARY_SPARK": {"conn_type": "spark", "host": "local[*]"},
        }
        return {f"AIRFLOW_CONN_{name}": json.dumps(fields) for name, fields in connections.items()}


def _fernet_key() -> str:
    """32 random bytes in the form that Airflow's encryption of its own secrets wants."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def _long_secret() -> str:
    """64 random bytes: what a signature by HMAC-SHA512 wants for its key (RFC 7518, section 3.2)."""
    return secrets.token_urlsafe(64)
