"""The embedded PostgreSQL and S3 behave as the pipeline relies on."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
from pathlib import Path

import boto3
import httpx
import psutil
import psycopg
import pytest
from botocore.exceptions import ClientError

from braingranary.devstack import processes, services
from braingranary.devstack.servers import postgres
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore

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


def test_object_server_gives_nothing_without_a_signature(
    object_server: ObjectServer, s3_settings: StoreSettings
) -> None:
    store = ObjectStore.from_settings(s3_settings)
    store.put("raw/secret", b"of a patient")
    listening = [
        one.laddr
        for one in psutil.net_connections("tcp")
        if one.status == "LISTEN" and one.laddr and one.laddr.port in object_server.ports
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    paths = [f"/buckets/{s3_settings.bucket}/raw/secret", "/buckets/?limit=10", f"/{s3_settings.bucket}/raw/secret",
             f"/{s3_settings.bucket}", "/dir/assign", "/dir/lookup?volumeId=1"]  # fmt: skip
    for port in sorted({address.port for address in listening}):
        for method, path in itertools.product(("GET", "PUT", "DELETE"), paths):
            try:
                answer = httpx.request(method, f"http://127.0.0.1:{port}{path}", timeout=10, trust_env=False)
            except httpx.HTTPError:  # a gRPC port, which asks for a certificate
                continue
            assert answer.status_code in {400, 401, 403, 404, 405}, (port, method, path, answer.text[:200])
    assert store.get("raw/secret") == b"of a patient"


def test_object_server_grpc_without_its_certificate_refuses(object_server: ObjectServer) -> None:
    accepted = []
    for port in object_server.ports:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            connection.settimeout(2)
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(64)
                # A frame of HTTP/2 settings: the server talks gRPC with anybody.
                if len(answer) >= 9 and answer[3] == 4:
                    accepted.append(port)
    assert accepted == []


def test_object_server_secrets_stand_in_no_argument_and_no_open_file(object_server: ObjectServer) -> None:
    secret = object_server.settings().secret_key
    assert secret is not None
    command = object_server.command()
    secrets_told = [secret.get_secret_value(), *(v for k, v in command.env.items() if k.startswith("WEED_"))]
    assert not [one for one in secrets_told if one in " ".join(command.argv)]
    for path in command.cwd.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077 and path.suffix in {".options", ".toml", ".key", ".json"}:
            assert not [one for one in secrets_told if one.encode() in path.read_bytes()], path
