"""The whole embedded stack of one checkout: its services, how they know one another, in which order they come.

Why: every address and password of one service is configuration of another, and starting them one after the other would
take the sum of their times. PostgreSQL, S3 and the sample come up side by side, then Airflow, and while Airflow starts
the schema is migrated and the front door opened.

In: checkout, state folder, what to ingest. Out: running services with their addresses. Fails with ConfigurationError
naming the service; what runs by then is found and used by the next attempt, or ended by `stop`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from braingranary.archives.tcia.client import TCIA_URL
from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack import accounts, front_accounts, processes, roles, sample_head, services
from braingranary.devstack.progress import Progress
from braingranary.devstack.sample_head.build import VERSION as SAMPLE_VERSION
from braingranary.devstack.servers import airflow, java, s3
from braingranary.devstack.servers.airflow import AirflowServer, ArchiveAddress
from braingranary.devstack.servers.limits_store import LimitsStore
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.web import FrontDoor, SampleArchiveService
from braingranary.devstack.source import Choice, content_digest
from braingranary.devstack.state import State
from braingranary.errors import ConfigurationError
from braingranary.settings import store_environment

STACK_STAGES: Final = ("PostgreSQL", "object store", "archive", "Airflow", "front door")
_PASSED_ON: Final = (  # of the caller's environment; anything else could change what the services do
    "HOME", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)  # fmt: skip
_LOCAL: Final = "127.0.0.1,localhost"


class Stack:
    """The services of one state folder, brought up by `start`."""

    def __init__(self, *, checkout: Path, state: State, choice: Choice) -> None:
        self._state = state
        self._checkout = checkout
        self._choice = choice
        self._environment = base_environment(state)
        self.content = ""
        self.airflow_database = Database(name="airflow", role="airflow", password=state.secret("postgres_airflow"))
        self.catalog_database = Database(name="granary", role="granary", password=state.secret("postgres_granary"))
        self.postgres = PostgresServer(
            state=state.root,
            port=self._ports("postgres", 1)[0],
            password=state.secret("postgres_administrator"),
            logs=state.logs,
        )
        self.objects = s3.ObjectServer(
            state=state.root,
            ports=state.ports("s3", s3.choose_ports, taken=services.running(state, "s3")),
            access_key="braingranary",
            secret_key=state.secret("s3_secret"),
            logs=state.logs,
        )
        self.limits = LimitsStore(
            state=state.root,
            port=self._ports("limits", 1)[0],
            password=state.secret("limits"),
            logs=state.logs,
        )
        self.catalog_dsn = self.postgres.dsn(self.catalog_database)
        self.store = self.objects.settings()
        self.front_logins = roles.front_logins(state, self.catalog_database.name)
        self._accounts = front_accounts.environment(
            state, dsn=self.postgres.dsn(self.front_logins.accounts), limits_url=self.limits.url
        )
        self.front_door = FrontDoor(
            state=state,
            checkout=checkout,
            port=self._ports("serving", 1)[0],
            catalog_dsn=self.postgres.dsn(self.front_logins.reader),
            store=self.store,
            accounts=self._accounts,
            base_environment=self._environment,
        )
        self.archive: SampleArchiveService | None = None
        archive_port = self._ports("archive", 1)[0]
        self._archive_port = archive_port
        base_url = TCIA_URL if choice.archive == "tcia" else SampleArchiveService.base_url_at(archive_port)
        self.airflow = AirflowServer(
            state=state,
            checkout=checkout,
            ports=self._ports("airflow", airflow.PORT_COUNT),
            database_dsn=self.postgres.dsn(self.airflow_database),
            catalog_dsn=self.catalog_dsn,
            store=self.store,
            archive=ArchiveAddress(base_url=base_url, name=choice.archive_name),
            base_environment=self._environment,
        )

    def start(self, progress: Progress) -> None:
        """Bring up what does not run yet; returns when all of it is healthy."""
        with ThreadPoolExecutor(max_workers=4) as together:
            archive = together.submit(self._start_archive, progress)
            objects = together.submit(self._start_one, progress, "object store", self.objects)
            with progress.stage("PostgreSQL"):
                self._bring_up(self.postgres)
                self.postgres.ensure_database(self.airflow_database)
                self.postgres.ensure_database(self.catalog_database)
            with progress.stage("Airflow"):
                record = services.adopt(self._state, self.airflow)
                launched = record or services.launch(self._state, self.airflow)
                objects.result()
                door = together.submit(self._start_front_door, progress)
                if record is None:
                    services.wait(self.airflow, launched)
            for part in (archive, door):
                part.result()

    def _start_one(self, progress: Progress, stage: str, service: services.Service) -> None:
        with progress.stage(stage):
            self._bring_up(service)

    def _start_front_door(self, progress: Progress) -> None:
        with progress.stage("front door"):
            self._bring_up(self.limits)
            migrate(self.catalog_dsn)
            roles.ensure(self.postgres, self.front_logins)
            front_accounts.write_operator_settings(
                self._state,
                {
                    "GRANARY_CATALOG_DSN": self.catalog_dsn,
                    "GRANARY_CLIENT_FRONT_DOOR_URL": self.front_door.base_url,
                    "GRANARY_CLIENT_AIRFLOW_URL": self.airflow.base_url,
                    "GRANARY_CLIENT_AIRFLOW_USER": airflow.USER,
                    "GRANARY_CLIENT_AIRFLOW_PASSWORD": self.airflow.password,
                    **store_environment(self.store),
                    **self._accounts,
                },
            )
            self._bring_up(self.front_door)

    def _start_archive(self, progress: Progress) -> None:
        with progress.stage("archive"):
            if self._choice.archive == "tcia":
                progress.tell("archive", TCIA_URL)
                return
            folder = self._choice.dicom
            if folder is None:
                folder = self._state.root / "sample"
                sample_head.build(folder)
                # The built-in sample is the same on every machine, whatever the times of its files are.
                self.content = f"built-in {SAMPLE_VERSION}"
            else:
                folder = folder.resolve()
                self.content = f"{folder} {content_digest(folder)}"
            self.archive = SampleArchiveService(
                state=self._state,
                port=self._archive_port,
                folder=folder,
                content=self.content,
                base_environment=self._environment,
            )
            self._bring_up(self.archive)

    def _bring_up(self, service: services.Service) -> None:
        if services.adopt(self._state, service) is None:
            services.wait(service, services.launch(self._state, service))

    def _ports(self, name: str, count: int) -> list[int]:
        running = services.running(self._state, name)
        return self._state.ports(name, lambda: processes.free_ports(count), taken=running)


def base_environment(state: State) -> dict[str, str]:
    """What every Python service starts from: the caller's network settings, this interpreter, a Java."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    home = java.java_home(state.root / "java", os.environ)
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        **passed,
        "PATH": f"{sysconfig.get_path('scripts')}:{home / 'bin'}:{system}",
        "JAVA_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "AWS_EC2_METADATA_DISABLED": "true",  # nothing here may look for the machine's own credentials
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": _merged("NO_PROXY"),
        "no_proxy": _merged("no_proxy"),
    }


def remove(state: State) -> None:
    """End every process and delete the state folder, and what of it had to lie elsewhere."""
    stop(state)
    with contextlib.suppress(ConfigurationError):  # damaged secrets do not tell where that was
        shutil.rmtree(accounts.home_for(accounts.unprivileged(), state.root), ignore_errors=True)
    shutil.rmtree(state.root)


def _merged(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The caller's exceptions from its proxy, and this machine."""
    return ",".join(filter(None, (environment.get(name, ""), _LOCAL)))


def stop(state: State) -> list[str]:
    """End every process of the stack, also strays of a killed command; returns the names of what was ended."""
    with state.locked():
        ended = services.stop_all(state)
    s3.sweep_sockets(state.ports("s3", s3.choose_ports, taken=True))
    return ended
