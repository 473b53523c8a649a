"""Settings of the library: the only module that reads the environment, prefix `GRANARY_`.

Airflow tasks build the same objects from Connections (`orchestration.connections`), so nothing else ever asks where a
value came from. A missing secret is an error at start, not a surprise later.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from braingranary.errors import Code, ConfigurationError

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class StoreSettings(BaseSettings):
    """Where objects live: any S3. Without keys the usual AWS chain (instance role, profile) is used."""

    model_config = SettingsConfigDict(env_prefix="GRANARY_S3_", frozen=True)

    bucket: str = "braingranary"
    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key: str | None = None
    secret_key: SecretStr | None = None


class CatalogSettings(BaseSettings):
    """Where the catalogue lives: one PostgreSQL URL, `postgresql://role:password@host:port/database`."""

    model_config = SettingsConfigDict(env_prefix="GRANARY_CATALOG_", frozen=True)

    dsn: SecretStr


class ServingSettings(BaseSettings):
    """How the front door works; nothing here is a secret."""

    model_config = SettingsConfigDict(env_prefix="GRANARY_SERVING_", frozen=True)

    pool_max: int = Field(default=8, ge=1)
    """Connections to the catalogue that one process holds at most."""
    pool_timeout_s: float = Field(default=5.0, gt=0)
    """How long a request waits for a connection before it is answered 503."""
    statement_timeout_ms: int = Field(default=15_000, ge=1)
    download_timeout_ms: int = Field(default=300_000, ge=1)
    """The same for the one statement that plans a download of any size."""
    pool_waiting_max: int = Field(default=16, ge=1)
    """Requests of one process that may wait for a connection; the next one is answered 503 at once."""
    downloads_max: int = Field(default=40, ge=1)
    """Long answers that one process sends at once; the next one is answered 503 at once."""
    uploads_max: int = Field(default=8, ge=1)
    """Requests with a body that one process reads at once; the next one is answered 503 at once."""
    body_max_bytes: int = Field(default=64 * 1024, ge=1)
    """Longest body of a request to a route that does not say otherwise; a longer one is answered 413 at once."""
    slow_request_ms: int = Field(default=1_000, ge=1)
    """A request that takes longer to its first byte is logged as a warning."""
    trusted_hosts: tuple[str, ...] = ()
    """Names that requests may be addressed to (`.example.org`: with all below it); none given: any."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks of the proxies in front; only from them are X-Forwarded-For, -Proto and -Host believed."""
    proxy_hops: int = Field(default=1, ge=1)
    """Proxies in front, one behind the other."""
    metrics_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that may read /metrics without an account; everybody else must be an operator."""


class SqlSettings(BaseSettings):
    """Where the folder sql/ lies, when it is neither in a checkout nor inside the installed package."""

    model_config = SettingsConfigDict(env_prefix="GRANARY_SQL_", frozen=True)

    folder: Path | None = None


def load_store_settings() -> StoreSettings:
    """Settings from the environment; raises ConfigurationError naming what is wrong, never a value."""
    return _checked(StoreSettings)


def load_catalog_settings() -> CatalogSettings:
    """Settings from the environment; raises ConfigurationError naming what is missing, never a value."""
    return _checked(CatalogSettings)


def load_serving_settings() -> ServingSettings:
    """Settings from the environment; nothing is required."""
    return _checked(ServingSettings)


def load_sql_settings() -> SqlSettings:
    """Settings from the environment; nothing is required."""
    return _checked(SqlSettings)


def child_environment(extra: Mapping[str, str], *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """The environment of a process to start: ours, less the variables with a prefix in `without`, and `extra`.

    A child gets the secrets it needs, named one by one, and none of those that its parent happens to hold.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return {**kept, **extra}


def _checked(model: type[SettingsT]) -> SettingsT:
    try:
        return model()
    except ValidationError as error:
        names = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        prefix = model.model_config.get("env_prefix", "")
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"set or correct {prefix}*: {names}") from None
