"""A demo of its own for tests: started as a newcomer starts it, looked at from outside, taken away as a whole."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from braingranary.catalog.search.snapshot import catalogue_state
from braingranary.client.airflow import AirflowApi, DagRun
from braingranary.devstack import accounts, processes
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.fixtures.patience import until

GRANARY = Path(sysconfig.get_path("scripts")) / "granary"
DEMO_TIMEOUT_S = 1700  # forty times what an idle machine takes


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that must not change: each object with its ETag, and the catalogue's dump line by line."""

    objects: frozenset[tuple[str, str]]
    dump: tuple[str, ...]

    def changes(self, other: Snapshot) -> list[str]:
        """What differs, for people: keys of objects and lines of the dump."""
        keys = [f"object {key} {etag}" for key, etag in sorted(self.objects ^ other.objects)]
        # The order of rows in a dump is that of the heap, which says nothing about what the tables hold.
        return keys + [f"row {line[:300]}" for line in sorted(set(self.dump) ^ set(other.dump))]


@dataclass(kw_only=True)
class DemoStack:
    """One demo in a state folder of its own."""

    state: Path
    output: str = ""
    seconds: list[float] = field(default_factory=list)
    is_up: bool = False

    def demo(self, *options: str) -> str:
        """Run `granary demo` to its end; returns what it told."""
        began = time.monotonic()
        told = self._granary("demo", *options)
        self.seconds.append(time.monotonic() - began)
        self.output, self.is_up = told, True
        until(self._search_is_current, "the front door does not answer from the newest state of the catalogue")
        return told

    def _search_is_current(self) -> bool:
        """Whether every process of the front door, any of which may answer, tells the current state."""
        server, database = self._database()
        with psycopg.connect(server.dsn(database)) as connection:
            wanted = catalogue_state(connection)
        answers = [httpx.get(f"{self.front_url}/", timeout=60, trust_env=False) for _ in range(8)]
        return {answer.headers.get("Catalogue-State") for answer in answers} == {wanted}

    def _database(self) -> tuple[PostgresServer, Database]:
        server = PostgresServer(state=self.state, port=self.ports["postgres"][0], password="", logs=self.state / "logs")
        return server, Database(name="granary", role="granary", password=self.secrets["postgres_granary"])

    def up(self) -> None:
        """Run `granary demo` unless it is up."""
        if not self.is_up:
            self.demo()

    def stop(self) -> str:
        """Run `granary stop`."""
        self.is_up = False
        return self._granary("stop")

    def clean(self) -> None:
        """End it and delete its data."""
        self._granary("clean", "--yes")

    def get(self, path: str) -> Any:
        """JSON of the front door."""
        return httpx.get(f"{self.front_url}{path}", timeout=60, trust_env=False).raise_for_status().json()

    @property
    def front_url(self) -> str:
        """Address of the front page."""
        return f"http://127.0.0.1:{self.ports['serving'][0]}"

    @property
    def ports(self) -> dict[str, list[int]]:
        """Ports by service."""
        found: dict[str, list[int]] = json.loads((self.state / "ports.json").read_text())
        return found

    @property
    def secrets(self) -> dict[str, str]:
        """Generated passwords."""
        found: dict[str, str] = json.loads((self.state / "secrets.json").read_text())
        return found

    @property
    def store(self) -> ObjectStore:
        """Its object store."""
        return ObjectStore.from_settings(
            StoreSettings.model_validate(
                {
                    "endpoint_url": f"http://127.0.0.1:{self.ports['s3'][0]}",
                    "access_key": "braingranary",
                    "secret_key": self.secrets["s3_secret"],
                }
            )
        )

    def airflow(self) -> AirflowApi:
        """Its Airflow."""
        base_url = f"http://127.0.0.1:{self.ports['airflow'][0]}"
        return AirflowApi(base_url=base_url, user="admin", password=self.secrets["airflow_admin"])

    def snapshot(self) -> Snapshot:
        """The state of object store and catalogue now."""
        server, database = self._database()
        return Snapshot(
            objects=frozenset((item.key, item.etag) for item in self.store.list()),
            # A server that was killed skips up to 32 numbers of every sequence: PostgreSQL logs them ahead.
            dump=tuple(
                line for line in server.dump(database).decode().splitlines() if "pg_catalog.setval(" not in line
            ),
        )

    def rerun(self, api: AirflowApi, run: DagRun, *, timeout_s: float = 600) -> DagRun:
        """Clear every task of a run and wait until it has run again."""
        api.rerun(run.dag_id, run.run_id, only_failed=False)
        deadline = time.monotonic() + timeout_s
        while not (now := api.run(run.dag_id, run.run_id)).finished:
            assert time.monotonic() < deadline, f"{run.dag_id} does not end"
            time.sleep(0.3)
        return now

    def living(self) -> list[str]:
        """Processes that belong to the demo in any way: by marker, by command line, by working folder, by port."""
        home = accounts.home_for(accounts.unprivileged(), self.state)
        ports = {port for group in self.ports.values() for port in group}
        sockets = [one for one in psutil.net_connections("tcp") if one.status == "LISTEN"]
        listening = {one.pid for one in sockets if one.laddr and one.laddr.port in ports}
        found = []
        for process in psutil.process_iter():
            try:
                told = " ".join(process.cmdline())
                named = str(self.state) in told or str(home) in told
                marked = process.environ().get(processes.OWNER) == str(self.state)
                inside = str(self.state) in process.cwd()
                if process.pid != os.getpid() and (named or marked or inside or process.pid in listening):
                    found.append(f"{process.pid} {told[:120]}")
            except psutil.Error:
                continue
        return found

    def granary(self, *arguments: str) -> str:
        """Run one of the operators' commands on it; returns what it told."""
        return self._run([GRANARY, *arguments, "--state", self.state])

    def _granary(self, command: str, *options: str) -> str:
        return self._run([GRANARY, command, "--state", self.state, *options])

    def _run(self, line: list[str | Path]) -> str:
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            timeout=DEMO_TIMEOUT_S,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )
        assert done.returncode == 0, f"{line[1:]}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{self._logs()}"
        return done.stdout

    def _logs(self) -> str:
        paths = sorted((self.state / "logs").glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in paths)
