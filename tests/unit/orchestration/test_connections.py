"""Connections become settings, whatever way they were typed, and wrong ones are named without their values."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg.conninfo
import pytest

from braingranary.archives.connection import BATCH_SERIES, PARALLEL_DOWNLOADS
from braingranary.archives.tcia.kind import TCIA
from braingranary.errors import Code, ConfigurationError
from braingranary.orchestration import connections
from braingranary.settings import load_store_settings, store_environment

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Sets one Connection as an installation does, by environment."""

    def set_one(name: str, **fields: object) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))

    return set_one


def test_store_settings_endpoint_and_keys_are_read(connect: Connect) -> None:
    connect(
        connections.S3_CONNECTION,
        conn_type="aws",
        login="key",
        password="s3cret",
        extra={"endpoint_url": "http://127.0.0.1:1", "region_name": "eu-west-1", "bucket": "b"},
    )
    settings = connections.store_settings()
    assert (settings.bucket, settings.region, settings.endpoint_url) == ("b", "eu-west-1", "http://127.0.0.1:1")
    assert settings.access_key == "key"
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == "s3cret"


def test_store_settings_bucket_of_the_amazon_provider_is_read(connect: Connect) -> None:
    connect(connections.S3_CONNECTION, conn_type="aws", extra={"service_config": {"s3": {"bucket_name": "mine"}}})
    settings = connections.store_settings()
    assert (settings.bucket, settings.access_key, settings.secret_key) == ("mine", None, None)


@pytest.mark.parametrize(
    "fields", [{"extra": {}}, {"login": "key", "extra": {"bucket": "b"}}, {"password": "p", "extra": {"bucket": "b"}}]
)
def test_store_settings_incomplete_connection_is_refused(fields: dict[str, object], connect: Connect) -> None:
    connect(connections.S3_CONNECTION, conn_type="aws", **fields)
    with pytest.raises(ConfigurationError) as caught:
        connections.store_settings()
    assert caught.value.code is Code.CONFIGURATION_INVALID
    assert connections.S3_CONNECTION in str(caught.value)


def test_store_settings_ignore_the_environment_of_the_library(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRANARY_S3_ACCESS_KEY", "stranger")
    monkeypatch.setenv("GRANARY_S3_ENDPOINT_URL", "http://stranger")
    connect(connections.S3_CONNECTION, conn_type="aws", extra={"bucket": "b"})
    settings = connections.store_settings()
    assert (settings.access_key, settings.endpoint_url) == (None, None)


def test_store_environment_gives_the_same_settings_in_another_process(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(
        connections.S3_CONNECTION,
        conn_type="aws",
        login="k",
        password="p/%",
        extra={"bucket": "b", "endpoint_url": "u"},
    )
    settings = connections.store_settings()
    for name, value in store_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load_store_settings() == settings


def test_catalog_dsn_odd_characters_survive(connect: Connect) -> None:
    connect(
        connections.POSTGRES_CONNECTION,
        conn_type="postgres",
        host="db",
        port=5433,
        login="a@b",
        password="p:/?#%& é",
        schema="gran ary",
        extra={"sslmode": "require"},
    )
    parts = psycopg.conninfo.conninfo_to_dict(connections.catalog_dsn())
    assert parts == {
        "host": "db",
        "port": "5433",
        "user": "a@b",
        "password": "p:/?#%& é",
        "dbname": "gran ary",
        "sslmode": "require",
    }


def test_catalog_dsn_without_database_is_refused(connect: Connect) -> None:
    connect(connections.POSTGRES_CONNECTION, conn_type="postgres", host="db", password="hidden")
    with pytest.raises(ConfigurationError) as caught:
        connections.catalog_dsn()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": "https://nbia.example.org/api/services/v4/"}, "https://nbia.example.org/api/services/v4/"),
        ({"host": "nbia.example.org/api"}, "https://nbia.example.org/api/"),
        ({"host": "127.0.0.1", "schema": "http", "port": 81}, "http://127.0.0.1:81/"),
        ({"host": "http://127.0.0.1:81/v4"}, "http://127.0.0.1:81/v4/"),
    ],
)
def test_archive_connection_address_however_typed(fields: dict[str, object], expected: str, connect: Connect) -> None:
    connect(TCIA.connection, conn_type="http", **fields)
    connection = connections.archive_connection(TCIA.connection)
    assert connection.base_url == expected
    assert (connection.archive_name, connection.collections) == ("tcia", ())
    assert (connection.connections, connection.batch_series) == (PARALLEL_DOWNLOADS, BATCH_SERIES)


def test_archive_connection_choices_of_the_extra_are_read(connect: Connect) -> None:
    extra = {"archive": "sample", "collections": ["A", " B "], "connections": 2, "batch_size": "5"}
    connect(TCIA.connection, conn_type="http", host="h", extra=extra)
    connection = connections.archive_connection(TCIA.connection)
    assert (connection.archive_name, connection.collections) == ("sample", ("A", "B"))
    assert (connection.connections, connection.batch_series) == (2, 5)


def test_archive_connection_password_is_not_in_its_text(connect: Connect) -> None:
    connect(TCIA.connection, conn_type="http", host="h", login="me", password="hidden")
    connection = connections.archive_connection(TCIA.connection)
    assert (connection.login, connection.password) == ("me", "hidden")
    assert "hidden" not in repr(connection)


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("collections", {"collections": {"A": 1}}),
        ("collections", {"collections": [1]}),
        ("connections", {"connections": 0}),
        ("connections", {"connections": 99}),
        ("batch_series", {"batch_size": "x"}),
    ],
)
def test_archive_connection_wrong_extra_is_refused(name: str, extra: dict[str, object], connect: Connect) -> None:
    connect(TCIA.connection, conn_type="http", host="h", extra=extra)
    with pytest.raises(ConfigurationError, match=TCIA.connection):
        getattr(connections.archive_connection(TCIA.connection), name)


@pytest.mark.parametrize("host", ["", "file:///etc/passwd", "ftp://h"])
def test_archive_connection_address_that_is_no_web_address_is_refused(host: str, connect: Connect) -> None:
    connect(TCIA.connection, conn_type="http", host=host)
    with pytest.raises(ConfigurationError):
        TCIA.open(connections.archive_connection(TCIA.connection))


@pytest.mark.parametrize(
    ("fields", "master", "local"),
    [
        ({"host": "local[*]"}, "local[*]", True),
        ({"host": "spark://master", "port": 7077}, "spark://master:7077", False),
        ({"host": "master", "port": 7077}, "spark://master:7077", False),
    ],
)
def test_spark_settings_master_however_typed(
    fields: dict[str, object], master: str, local: bool, connect: Connect
) -> None:
    connect(connections.SPARK_CONNECTION, conn_type="spark", **fields, extra={"conf": {"spark.cores.max": 4}})
    settings = connections.spark_settings()
    assert (settings.master, settings.local, settings.conf) == (master, local, {"spark.cores.max": "4"})
