"""An operator's Connection to an archive, as plain values: what an archive's module makes its settings of.

Raises ConfigurationError that names the Connection and the field, never a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from braingranary.errors import Code, ConfigurationError

BATCH_SERIES: Final = 16
"""Series a mapped task stages: a task costs half a second, 20 MB some seconds, so the cost is lost in it."""
BATCH_SERIES_MAX: Final = 500
PARALLEL_DOWNLOADS: Final = 4
"""Connections that one task opens to an archive; public archives ask for about four."""
PARALLEL_DOWNLOADS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConnection:
    """Host, credentials and extra fields of the Connection `granary_<kind>`.

    Extra fields of every archive: `archive` (its name in keys, default: its kind), `collections` (what the nightly run
    takes), `connections` (parallel downloads a task), `batch_size` (series a task).
    """

    name: str
    host: str = ""
    schema: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def archive_name(self) -> str:
        """The archive's name in keys and in the catalogue."""
        return str(self.extra.get("archive") or self.name.removeprefix("granary_"))

    @property
    def collections(self) -> tuple[str, ...]:
        """Collections of the nightly run; empty where nobody chose any."""
        value = self.extra.get("collections")
        items = value.split(",") if isinstance(value, str) else value or []
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise self.error("extra.collections must be a list of names")
        return tuple(item.strip() for item in items if item.strip())

    @property
    def connections(self) -> int:
        """Series that one task downloads at once."""
        return self._count("connections", PARALLEL_DOWNLOADS, PARALLEL_DOWNLOADS_MAX)

    @property
    def batch_series(self) -> int:
        """Series of one task at most."""
        return self._count("batch_size", BATCH_SERIES, BATCH_SERIES_MAX)

    @property
    def base_url(self) -> str:
        """The address of an http Connection, however it was typed: whole in host, or split over its fields."""
        host = self.host.rstrip("/")
        if "://" not in host:
            host = f"{self.schema if self.schema in {'http', 'https'} else 'https'}://{host}"
        parts = urlsplit(host)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise self.error("host must be an http or https address")
        if self.port and not parts.port:
            host = f"{parts.scheme}://{parts.netloc}:{self.port}{parts.path}"
        return f"{host.rstrip('/')}/"

    @property
    def is_private(self) -> bool:
        """Whether the address may be one of a private network: the operator typed such an address, or said so."""
        return self.extra.get("private") is True or _is_literal_address(self.base_url)

    def error(self, what: str) -> ConfigurationError:
        """The error that says what is wrong with this Connection."""
        return ConfigurationError(Code.CONFIGURATION_INVALID, f"connection {self.name}: {what}")

    def _count(self, name: str, default: int, largest: int) -> int:
        try:
            number = int(str(self.extra.get(name, default)))
        except ValueError:
            number = 0
        if not 1 <= number <= largest:
            raise self.error(f"extra.{name} must be a whole number from 1 to {largest}")
        return number


def _is_literal_address(url: str) -> bool:
    """Whether the host is written as an address, so that what it reaches was seen by whoever wrote it."""
    host = urlsplit(url).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
