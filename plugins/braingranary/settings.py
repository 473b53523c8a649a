"""Settings of the library: the only module that reads the environment, prefix `GRANARY_`.

Airflow tasks build the same objects from Connections (`orchestration.connections`), so nothing else ever asks where a
value came from. A missing secret is an error at start, not a surprise later.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from braingranary.errors import Code, ConfigurationError

SettingsT = TypeVar("SettingsT", bound=BaseSettings)
KEY_BYTES: Final = 32
"""Length of a key for HMAC-SHA-256: shorter than its output would be weaker than the hash (RFC 7518, 3.2)."""
DEMO_SETTINGS_FILE: Final = "operator.env"
"""Name of the file in the demo's state folder that holds the settings of its catalogue, store and accounts."""
_KID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_DISTINCT_CHARACTERS: Final = 20  # 32 random bytes have about 31 in base64; words and repetitions have fewer
_SAMPLE: Final = re.compile("sample|example|change|secret|default|password|insert", re.IGNORECASE)


def _strong(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        length = len(key_bytes(value))
    except ValueError:
        length = 0
    if length < KEY_BYTES or len(set(text)) < _DISTINCT_CHARACTERS or _SAMPLE.search(text):
        raise ValueError("not a generated secret: make one with `granary account keys`")
    return value


def key_bytes(value: SecretStr) -> bytes:
    """The key behind its base64url text; raises ValueError when it is none."""
    text = value.get_secret_value()
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


StrongSecret: TypeAlias = Annotated[SecretStr, AfterValidator(_strong)]
"""At least 32 random bytes in base64url; short ones and those of examples are refused."""


class StoreSettings(BaseSettings):
    """Where objects live: any S3. Without keys the usual AWS chain (instance role, profile) is used."""

    model_config = SettingsConfigDict(
        env_prefix="GRANARY_S3_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    bucket: str = "braingranary"
    """Bucket of everything."""
    endpoint_url: str | None = None
    """Address of the store; none: AWS itself."""
    region: str = "us-east-1"
    """Region of the bucket."""
    access_key: str | None = None
    """Key id; none: the usual AWS chain."""
    secret_key: SecretStr | None = None
    """Its secret."""


class CatalogSettings(BaseSettings):
    """Where the catalogue lives: one PostgreSQL URL, `postgresql://role:password@host:port/database`."""

    model_config = SettingsConfigDict(
        env_prefix="GRANARY_CATALOG_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    dsn: SecretStr
    """PostgreSQL URL; for the front door of a login in the role granary_reader."""


class ClientSettings(BaseSettings):
    """Where the operators' commands find the REST API of the front door and Airflow."""

    model_config = SettingsConfigDict(
        env_prefix="GRANARY_CLIENT_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    front_door_url: str
    """Address of the front door."""
    airflow_url: str
    """Address of Airflow."""
    airflow_user: str = "admin"
    """User of Airflow that may trigger DAGs."""
    airflow_password: SecretStr
    """Its password."""


class ServingSettings(BaseSettings):
    """How the front door works; nothing here is a secret."""

    model_config = SettingsConfigDict(env_prefix="GRANARY_SERVING_", frozen=True, use_attribute_docstrings=True)

    pool_max: int = Field(default=8, ge=1)
    """Connections to the catalogue that one process holds at most."""
    pool_timeout_s: float = Field(default=5.0, gt=0)
    """How long a request waits for a connection before it is answered 503."""
    snapshot_folder: Path | None = None
    """Folder of the search snapshots, shared by the processes of a host; none given: one in the system's folder for
    temporary files, of this user and catalogue."""
    statement_timeout_ms: int = Field(default=15_000, ge=1)
    """Time of one statement; a request whose statement takes longer is answered 504."""
    download_timeout_ms: int = Field(default=300_000, ge=1)
    """The same for the one statement that plans a download of any size."""
    pool_waiting_max: int = Field(default=16, ge=1)
    """Requests of one process that may wait for a connection; the next one is answered 503 at once."""
    downloads_max: int = Field(default=40, ge=1)
    """Long answers that one process sends at once; the next one is answered 503 at once."""
    uploads_max: int = Field(default=8, ge=1)
    """Bodies that one process reads at once, uploads to the detector apart; the next one is answered 503 at once."""
    body_max_bytes: int = Field(default=64 * 1024, ge=1)
    """Longest body of a request to a route that does not say otherwise; a longer one is answered 413 at once."""
    slow_request_ms: int = Field(default=1_000, ge=1)
    """A request that takes longer to its first byte is logged as a warning."""
    trusted_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Names that requests may be addressed to (`.example.org`: with all below it); others are answered 400."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks of the proxies in front; only from them are X-Forwarded-For, -Proto and -Host believed."""
    proxy_hops: int = Field(default=1, ge=1)
    """Proxies in front, one behind the other."""
    detect_processes: int = Field(default=2, ge=0)
    """Detecting processes of each process of the front door; 0: it does not detect. One account has all but one of them
    at work at most, so that with two or more of them no account makes others wait for its uploads."""
    detect_waiting_max: int = Field(default=4, ge=0)
    """Detections of one process that may wait for their turn; the next one is answered 503 at once."""
    detect_per_account_max: int = Field(default=2, ge=1)
    """Detections of one account that each process takes at once; the next one is answered 429."""
    detect_timeout_s: float = Field(default=20.0, gt=0)
    """Time of one detection; an upload that takes longer is given up, and its process replaced."""
    detect_memory_mib: int = Field(default=1_536, ge=512)
    """Private memory that a detecting process may ask for (RLIMIT_DATA); resident it stays far below."""
    detect_weights: Path | None = None
    """Folder of the model's weights and their pin; none given: the catalogue's active model, or else the shipped."""
    detect_model_check_s: float = Field(default=5.0, gt=0)
    """How often each process asks the catalogue which model is active."""
    ready_timeout_s: float = Field(default=1.0, gt=0)
    """How long `/readyz` waits for its parts; one that has not answered by then counts as failing."""
    metrics_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that may read /metrics without an account; everybody else must be an operator."""

    @property
    def detect_patience_s(self) -> float:
        """How long a detection waits for its answer: for as long as all before it may take."""
        return self.detect_timeout_s * (1 + self.detect_waiting_max)


class AccountsSettings(BaseSettings):
    """Accounts of the front door: their own login to PostgreSQL, and the keys that nobody else may know."""

    model_config = SettingsConfigDict(
        env_prefix="GRANARY_ACCOUNTS_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    dsn: SecretStr
    """PostgreSQL URL of a login in the role granary_accounts."""
    keys: dict[str, StrongSecret]
    """Keys that sign tokens, by key id: JSON as in `granary account keys`. Older ones still check, until they go."""
    current_kid: str
    """The key that signs new tokens."""
    hash_key: StrongSecret
    """Key under which the audit trail and the limits know e-mail and network addresses."""
    sign_up: Literal["open", "invitation", "closed"] = "open"
    """Who may register: everybody, who was invited, nobody."""
    issuer: str = Field(default="braingranary", min_length=1)
    """Who issues tokens, as the tokens say."""
    audience: str = Field(default="braingranary", min_length=1)
    """What a token is for; two installations that shared a key would still refuse each other's tokens."""
    token_minutes: int = Field(default=60, ge=1, le=24 * 60)
    """Life of a token."""
    hashing_max: int = Field(default=2, ge=1)
    """Passwords that one process checks at once: each takes 19 MiB and a core for some hundredths of a second."""
    pool_max: int = Field(default=4, ge=1)
    """Connections for accounts that one process holds at most."""
    pool_timeout_s: float = Field(default=2.0, gt=0)
    """How long a request waits for one of them before it is answered 503."""

    @model_validator(mode="after")
    def _current_is_there(self) -> Self:
        if self.current_kid not in self.keys or not all(map(_KID.fullmatch, self.keys)):
            raise ValueError("current_kid is one of keys, whose names are letters, digits, '.', '_' and '-'")
        return self


class LimitsSettings(BaseSettings):
    """How many requests the front door admits, in the notation of the library `limits`; an empty text: any number."""

    model_config = SettingsConfigDict(env_prefix="GRANARY_LIMITS_", frozen=True, use_attribute_docstrings=True)

    store: SecretStr
    """`valkey://` or `redis://` URL, shared by all processes; `memory://` only for a single process of a test."""
    general: str = "6000/minute"
    """Requests of one address, and again of one account, to anything that has no budget of its own."""
    detect: str = "120/minute"
    """The same for detections."""
    download: str = "240/minute"
    """The same for downloads."""
    health: str = "6000/minute"
    """Requests of one address to the addresses of health, counted by each process for itself."""
    login: str = "30/minute;300/hour"
    """Attempts of one address to sign in or up."""
    login_email: str = "10/minute;30/hour"
    """Attempts of one address for one e-mail address; forgotten when one succeeds."""


class SqlSettings(BaseSettings):
    """Where the folder sql/ lies, when it is neither in a checkout nor inside the installed package."""

    model_config = SettingsConfigDict(env_prefix="GRANARY_SQL_", frozen=True)

    folder: Path | None = None


def load_store_settings(env_file: Path | None = None) -> StoreSettings:
    """Settings from the environment, and below it a file of variables (NAME='value' a line).

    Raises:
        ConfigurationError: a setting is wrong; its name is given, never its value.
    """
    return _checked(StoreSettings, env_file)


def load_catalog_settings(env_file: Path | None = None) -> CatalogSettings:
    """Settings from the environment, and below it a file of variables; raises ConfigurationError likewise."""
    return _checked(CatalogSettings, env_file)


def load_client_settings(env_file: Path | None = None) -> ClientSettings:
    """Settings from the environment, and below it a file of variables; raises ConfigurationError likewise."""
    return _checked(ClientSettings, env_file)


def load_serving_settings() -> ServingSettings:
    """Settings from the environment; nothing is required."""
    return _checked(ServingSettings)


def load_accounts_settings(env_file: Path | None = None) -> AccountsSettings:
    """Settings from the environment, and below it a file of variables (NAME='value' a line).

    Raises:
        ConfigurationError: a secret is missing, short or a sample.
    """
    return _checked(AccountsSettings, env_file)


def load_limits_settings() -> LimitsSettings:
    """Settings from the environment; raises ConfigurationError when no store is named."""
    return _checked(LimitsSettings)


def load_sql_settings() -> SqlSettings:
    """Settings from the environment; nothing is required."""
    return _checked(SqlSettings)


def child_environment(extra: Mapping[str, str], *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """The environment of a process to start: ours, less the variables with a prefix in `without`, and `extra`.

    A child gets the secrets it needs, named one by one, and none of those that its parent happens to hold.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return {**kept, **extra}


def store_environment(settings: StoreSettings) -> dict[str, str]:
    """The variables from which `load_store_settings` builds equal settings in another process."""
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    values = {
        "GRANARY_S3_BUCKET": settings.bucket,
        "GRANARY_S3_ENDPOINT_URL": settings.endpoint_url,
        "GRANARY_S3_REGION": settings.region,
        "GRANARY_S3_ACCESS_KEY": settings.access_key,
        "GRANARY_S3_SECRET_KEY": secret,
    }
    return {name: value for name, value in values.items() if value}


def any_variable_set(*prefixes: str) -> bool:
    """Whether the environment has a variable whose name starts with one of the prefixes."""
    return any(name.startswith(prefixes) for name in os.environ)


def _checked(model: type[SettingsT], env_file: Path | None = None) -> SettingsT:
    try:
        return model(_env_file=env_file)
    except ValidationError as error:
        names = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        prefix = model.model_config.get("env_prefix", "")
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"set or correct {prefix}*: {names}") from None
