"""The embedded PostgreSQL and S3 behave as the pipeline relies on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest
from botocore.exceptions import ClientError

from braingranary.devstack import postgres, processes, services
from braingranary.devstack.postgres import Database, PostgresServer
from braingranary.settings import StoreSettings

pytestmark = pytest.mark.stack


def test_postgres_with_wrong_password_refuses(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        row = connection.execute("SELECT current_user, current_setting('TimeZone')").fetchone()
    assert row == ("granary", "UTC")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_dsn.replace("granary-test", "wrong"))


def test_postgres_server_never_runs_as_root(postgres_server: PostgresServer) -> None:
    found = psutil.net_connections("tcp")
    pids = {c.pid for c in found if c.status == "LISTEN" and c.laddr and c.laddr.port == postgres_server.port}
    listening = [psutil.Process(pid) for pid in pids if pid]
    assert {process.name() for process in listening} == {"postgres"}
    assert all(process.uids().effective != 0 for process in listening)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may have a checkout that the other account cannot enter")
def test_postgres_out_of_a_checkout_that_only_root_enters_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = postgres._installed().parent
    shutil.copytree(package, closed / package.name)
    shutil.copytree(f"{package}.libs", closed / f"{package.name}.libs")
    hidden = closed / package.name / "pginstall"
    monkeypatch.setattr(postgres, "_installed", lambda: hidden)
    server = PostgresServer(
        state=closed / "state",
        port=processes.free_ports(1)[0],
        password="it's",
        logs=tmp_path,
        durable=False,
        bound=True,
    )
    record = services.start(server)
    try:
        database = Database(name="one", role="one", password="a b'c")
        other = Database(name="two", role="two", password="d")
        for made in (database, other, database):
            server.ensure_database(made)
        with psycopg.connect(server.dsn(database)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("one",)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(server.dsn(other).removesuffix("two") + "one")
        assert b"PostgreSQL database dump" in server.dump(database)
    finally:
        processes.stop(record)
        server.remove()
    assert processes.members(record) == []


def test_object_server_conditional_put_keeps_the_first(s3_settings: StoreSettings) -> None:
    assert s3_settings.secret_key is not None
    client = boto3.client(
        "s3",
        endpoint_url=s3_settings.endpoint_url,
        region_name=s3_settings.region,
        aws_access_key_id=s3_settings.access_key,
        aws_secret_access_key=s3_settings.secret_key.get_secret_value(),
    )
    client.put_object(Bucket=s3_settings.bucket, Key="a", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket=s3_settings.bucket, Key="a", Body=b"second", IfNoneMatch="*")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert client.get_object(Bucket=s3_settings.bucket, Key="a")["Body"].read() == b"first"
