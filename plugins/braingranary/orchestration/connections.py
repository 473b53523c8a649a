"""Connections: how an Airflow Connection becomes a setting of the library.

Endpoints and credentials have one owner, Airflow's Connections; the library never learns that Airflow exists. These
Connections are read here and nowhere else:

`granary_s3` (type `aws`): login and password are the access key and secret (both empty: the usual AWS chain); extra
    `endpoint_url`, `region_name` and `bucket` (or Airflow's own `service_config.s3.bucket_name`).
`granary_postgres` (type `postgres`): the catalogue's database; every extra is passed on as a libpq parameter.
`granary_<kind>`, one an archive (`granary_tcia`, type `http`: host is the base address of the NBIA API); the extra
    fields of every archive are told in `archives.connection`, `private` (true: the host's name may lead into a private
    network) is TCIA's.
`granary_spark` (type `spark`): host and port are the master (`local[*]`, `spark://host`); extra `conf` (an object of
    Spark properties), `py-files` and `deploy-mode`.

A Connection that is absent raises Airflow's own error; one that is wrong raises ConfigurationError, which names the
field and never the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook

from braingranary.archives.connection import ArchiveConnection
from braingranary.errors import Code, ConfigurationError
from braingranary.settings import StoreSettings

if TYPE_CHECKING:
    from airflow.sdk import Connection

S3_CONNECTION: Final = "granary_s3"
POSTGRES_CONNECTION: Final = "granary_postgres"
SPARK_CONNECTION: Final = "granary_spark"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkSettings:
    """Which Spark runs a job: what the runner needs beyond what the provider reads from the Connection itself."""

    master: str
    conf: dict[str, str] = field(default_factory=dict)
    py_files: str | None = None
    deploy_mode: str | None = None

    @property
    def local(self) -> bool:
        """Whether the executors live inside the driver."""
        return self.master.startswith("local")


def store_settings() -> StoreSettings:
    """The object store of `granary_s3`."""
    connection = _connection(S3_CONNECTION)
    extra = connection.extra_dejson
    service = extra.get("service_config") or {}
    bucket = extra.get("bucket") or (service.get("s3") or {}).get("bucket_name")
    if not bucket:
        raise _wrong(S3_CONNECTION, "extra.bucket is missing")
    if bool(connection.login) != bool(connection.password):
        raise _wrong(S3_CONNECTION, "give both login and password or neither")
    return StoreSettings(
        bucket=str(bucket),
        endpoint_url=extra.get("endpoint_url"),
        region=str(extra.get("region_name") or "us-east-1"),
        access_key=connection.login or None,
        secret_key=connection.password or None,
    )


def catalog_dsn() -> str:
    """The URL of `granary_postgres`, with its password: it must not be logged."""
    connection = _connection(POSTGRES_CONNECTION)
    if not connection.host or not connection.schema:
        raise _wrong(POSTGRES_CONNECTION, "host and schema (the database) are needed")
    user = quote(connection.login or "", safe="")
    password = f":{quote(connection.password, safe='')}" if connection.password else ""
    port = f":{connection.port}" if connection.port else ""
    options = {name: str(value) for name, value in connection.extra_dejson.items()}
    query = f"?{urlencode(options)}" if options else ""
    who = f"{user}{password}@" if user else ""
    return f"postgresql://{who}{connection.host}{port}/{quote(connection.schema, safe='')}{query}"


def archive_connection(name: str) -> ArchiveConnection:
    """The Connection of an archive as plain values."""
    connection = _connection(name)
    return ArchiveConnection(
        name=name,
        host=connection.host or "",
        schema=connection.schema or "",
        port=connection.port,
        login=connection.login or "",
        password=connection.password or "",
        extra=connection.extra_dejson,
    )


def spark_settings() -> SparkSettings:
    """The Spark of `granary_spark`."""
    connection = _connection(SPARK_CONNECTION)
    extra = connection.extra_dejson
    if connection.conn_type != "spark" or not connection.host:
        raise _wrong(SPARK_CONNECTION, "type spark and a host (the master) are needed")
    conf = extra.get("conf") or {}
    if not isinstance(conf, dict):
        raise _wrong(SPARK_CONNECTION, "extra.conf must be an object of Spark properties")
    master = connection.host if "://" in connection.host or not connection.port else f"spark://{connection.host}"
    return SparkSettings(
        master=f"{master}:{connection.port}" if connection.port else master,
        conf={str(name): str(value) for name, value in conf.items()},
        py_files=extra.get("py-files"),
        deploy_mode=extra.get("deploy-mode"),
    )


def _connection(name: str) -> Connection:
    return BaseHook.get_connection(name)


def _wrong(connection: str, what: str) -> ConfigurationError:
    return ConfigurationError(Code.CONFIGURATION_INVALID, f"connection {connection}: {what}")
