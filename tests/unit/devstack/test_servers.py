"""The embedded PostgreSQL and S3 behave as the pipeline relies on."""

from __future__ import annotations

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError

from braingranary.devstack.postgres import PostgresServer
from braingranary.settings import StoreSettings

pytestmark = pytest.mark.stack


def test_postgres_with_wrong_password_refuses(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        row = connection.execute("SELECT current_user, current_setting('TimeZone')").fetchone()
    assert row == ("granary", "UTC")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_dsn.replace("granary-test", "wrong"))


def test_postgres_server_always_runs_unprivileged(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.dsn()) as connection:
        row = connection.execute("SELECT (pg_stat_file('PG_VERSION')).size > 0, current_setting('fsync')").fetchone()
    assert row == (True, "off")


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
