"""Connections: how an Airflow Connection becomes a setting of the library.

Endpoints and credentials have one owner, Airflow's Connections; the library never learns that Airflow exists. Four
Connections are read here and nowhere else:

`granary_s3` (type `aws`): login and password are the access key and secret (both empty: the usual AWS chain); extra
    `endpoint_url`, `region_name` and `bucket` (or Airflow's own `service_config.s3.bucket_name`).
`granary_postgres` (type `postgres`): the catalogue's database; every extra is passed on as a libpq parameter.
`granary_tcia` (type `http`): host is the base address of the NBIA API; extra `archive` (name in keys, default `tcia`),
    `collections` (what the nightly run takes), `connections` (parallel downloads a task), `batch_size` (series a task),
    `private` (true: the host's name may lead into a private network).
`granary_spark` (type `spark`): host and port are the master (`local[*]`, `spark://host`); extra `conf` (an object of
    Spark properties), `py-files` and `deploy-mode`.

A Connection that is absent raises Airflow's own error; one that is wrong raises ConfigurationError, which names the
field and never the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk import BaseHook

from braingranary.errors import Code, ConfigurationError
from braingranary.settings import StoreSettings

if TYPE_CHECKING:
    from airflow.sdk import Connection

S3_CONNECTION: Final = "granary_s3"
POSTGRES_CONNECTION: Final = "granary_postgres"
TCIA_CONNECTION: Final = "granary_tcia"
SPARK_CONNECTION: Final = "granary_spark"

BATCH_SERIES: Final = 16
"""Series a mapped task stages: a task costs half a second, 20 MB some seconds, so the cost is lost in it."""

PARALLEL_DOWNLOADS: Final = 4
"""Connections that one task opens to an archive; public archives ask for about four."""

_BATCH_SERIES_MAX: Final = 500
_PARALLEL_DOWNLOADS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """Where a TCIA-speaking archive answers and how politely it is asked."""

    base_url: str
    name: str
    collections: tuple[str, ...]
    """What the nightly run takes; empty where nobody chose any."""
    connections: int
    batch_series: int
    private: bool = False
    """Whether the address may be one of a private network: the operator typed such an address, or said so."""


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


def archive_settings() -> ArchiveSettings:
    """The archive of `granary_tcia`."""
    connection = _connection(TCIA_CONNECTION)
    extra = connection.extra_dejson
    base_url = _base_url(connection)
    return ArchiveSettings(
        base_url=base_url,
        name=str(extra.get("archive") or "tcia"),
        collections=_texts(extra.get("collections")),
        connections=_count(extra, "connections", PARALLEL_DOWNLOADS, _PARALLEL_DOWNLOADS_MAX),
        batch_series=_count(extra, "batch_size", BATCH_SERIES, _BATCH_SERIES_MAX),
        private=extra.get("private") is True or _is_literal(base_url),
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


def _base_url(connection: Connection) -> str:
    """The address of an http Connection, however it was typed: whole in host, or split over its fields."""
    host = (connection.host or "").rstrip("/")
    if "://" not in host:
        scheme = connection.schema if connection.schema in {"http", "https"} else "https"
        host = f"{scheme}://{host}"
    parts = urlsplit(host)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _wrong(TCIA_CONNECTION, "host must be an http or https address")
    if connection.port and not parts.port:
        host = f"{parts.scheme}://{parts.netloc}:{connection.port}{parts.path}"
    return f"{host.rstrip('/')}/"


def _is_literal(url: str) -> bool:
    """Whether the host is written as an address, so that what it reaches was seen by whoever wrote it."""
    host = urlsplit(url).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise _wrong(TCIA_CONNECTION, "extra.collections must be a list of names")
    return tuple(item.strip() for item in items if item.strip())


def _count(extra: dict[str, object], name: str, default: int, largest: int) -> int:
    value = extra.get(name, default)
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= largest:
        raise _wrong(TCIA_CONNECTION, f"extra.{name} must be a whole number from 1 to {largest}")
    return number


def _wrong(connection: str, what: str) -> ConfigurationError:
    return ConfigurationError(Code.CONFIGURATION_INVALID, f"connection {connection}: {what}")
