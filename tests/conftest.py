"""Fixtures that every test may use; rooms add their own in their conftest.py."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from braingranary.devstack import processes, services
from braingranary.devstack.servers import s3
from braingranary.devstack.servers.limits_store import LimitsStore
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.e2e.demo import DemoStack

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ("case ", "realdata ", "dag parsing:", "demo again:")
REAL_DATA = Path(os.environ.get("GRANARY_TEST_DATA", ROOT.parent / "shared" / "data"))


AIRFLOW_HOME = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Give Airflow a home of this run: it reads and writes one as soon as it is imported, otherwise the user's own."""
    config.stash[AIRFLOW_HOME] = tempfile.mkdtemp(prefix="granary-airflow-")
    os.environ.update(
        AIRFLOW_HOME=config.stash[AIRFLOW_HOME],
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the home away again."""
    shutil.rmtree(config.stash[AIRFLOW_HOME], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures that tests printed (`case 04 length lie: ...`): they are what a passed test is worth."""
    told = {
        line
        for report in terminalreporter.stats.get("passed", [])
        if report.when == "call"
        for line in report.capstdout.splitlines()
        if line.startswith(FIGURES)
    }
    if told:
        terminalreporter.section("figures")
        for line in sorted(told):
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `realdata` tests, saying why, where the scans are absent."""
    if REAL_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason=f"no real scans at {REAL_DATA} (set GRANARY_TEST_DATA)")
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; only for tests marked `realdata`."""
    return REAL_DATA


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One embedded PostgreSQL for the whole run; it dies with the test process."""
    folder = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(
        state=folder,
        port=processes.free_ports(1)[0],
        password=secrets.token_urlsafe(12),
        logs=folder,
        durable=False,
        bound=True,
    )
    record = services.start(server)
    yield server
    processes.stop(record)
    server.remove()


@pytest.fixture
def postgres_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty database owned by a plain role that logs in by scram."""
    name = f"granary_{secrets.token_hex(6)}"
    database = Database(name=name, role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    yield postgres_server.dsn(database)
    postgres_server.drop_database(database)


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.ObjectServer]:
    """One embedded S3 for the whole run; it dies with the test process."""
    folder = tmp_path_factory.mktemp("s3")
    server = s3.ObjectServer(
        state=folder,
        ports=s3.choose_ports(),
        access_key="test",
        secret_key=secrets.token_urlsafe(24),
        logs=folder,
        bound=True,
    )
    record = services.start(server)
    yield server
    processes.stop(record)
    server.sweep()


@pytest.fixture(scope="session")
def limits_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of one store for request limits; it dies with the test process."""
    folder = tmp_path_factory.mktemp("limits")
    server = LimitsStore(
        state=folder,
        port=processes.free_ports(1)[0],
        password=secrets.token_urlsafe(12),
        logs=folder,
        bound=True,
    )
    record = services.start(server)
    yield server.url
    processes.stop(record)


@pytest.fixture
def s3_settings(object_server: s3.ObjectServer) -> Iterator[StoreSettings]:
    """Settings of a fresh, empty bucket, removed afterwards: each bucket holds some of the server's few volumes."""
    settings = object_server.settings(bucket=f"test-{secrets.token_hex(8)}")
    assert settings.secret_key is not None
    client = boto3.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key.get_secret_value(),
    )
    client.create_bucket(Bucket=settings.bucket)
    yield settings
    store = ObjectStore.from_settings(settings)
    store.delete_many([item.key for item in store.list()])
    client.delete_bucket(Bucket=settings.bucket)
    client.close()


@pytest.fixture
def object_store(s3_settings: StoreSettings) -> ObjectStore:
    """The library's object store on a fresh, empty bucket."""
    return ObjectStore.from_settings(s3_settings)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoStack]:
    """One demo of the built-in sample, not started yet; gone with all its data at the end."""
    demo = DemoStack(state=tmp_path_factory.mktemp("demo"))
    yield demo
    demo.clean()


@pytest.fixture
def demo_stack(demo_folder: DemoStack) -> DemoStack:
    """The demo, started as a newcomer starts it; it stays up from one test that looks at it to the next."""
    demo_folder.up()
    return demo_folder


@pytest.fixture
def no_other_demo(demo_folder: DemoStack) -> None:
    """A machine on which the demo of the other tests does not run: a second Airflow beside it only makes both slow."""
    if demo_folder.is_up:
        demo_folder.stop()


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own database, migrated, as SQLite in the home of this run."""
    from airflow.utils.db import initdb  # noqa: PLC0415 - only the tests that need it pay for it

    initdb()
