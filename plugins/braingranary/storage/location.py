"""Where objects live, as a Spark job is told: a place without credentials, and a small file at a path or in a bucket.

Every `run.json` names a place; the keys to it come from the environment of whoever reads it or from the instance's
role. Goes in: bucket, endpoint, region. Comes out: a store, made once a process. Fails with ConfigurationError on
settings that make no store and with what the store raises.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """Where objects live; the keys to it come from the environment or from the instance's role."""

    bucket: str
    endpoint_url: str | None = None
    region: str = "us-east-1"

    @classmethod
    def of(cls, settings: StoreSettings) -> StorePlace:
        """The place of these settings, without their credentials."""
        return cls(bucket=settings.bucket, endpoint_url=settings.endpoint_url, region=settings.region)

    def settings(self) -> StoreSettings:
        """This place, with the credentials of the process' environment."""
        return StoreSettings(bucket=self.bucket, endpoint_url=self.endpoint_url, region=self.region)

    def open(self) -> ObjectStore:
        """The store at this place: made once a process and shared by its threads, since to make a client is dear."""
        return _opened(self, os.getpid())


def read_at(location: str, endpoint_url: str | None) -> bytes:
    """The file at a path or at `s3://bucket/key`; `endpoint_url` None leaves it to the environment or AWS."""
    parts = urlsplit(location)
    if parts.scheme != "s3":
        return Path(location).read_bytes()
    return StorePlace(bucket=parts.netloc, endpoint_url=endpoint_url).open().get(parts.path.lstrip("/"))


def run_json_arguments(settings: StoreSettings, key: str) -> list[str]:
    """argv with which a Spark job finds its `run.json` at `key`; `read_at` takes it from there."""
    endpoint = ["--endpoint-url", settings.endpoint_url] if settings.endpoint_url else []
    return ["--run-json", f"s3://{settings.bucket}/{key}", *endpoint]


@lru_cache(maxsize=4)
def _opened(place: StorePlace, process: int) -> ObjectStore:  # noqa: ARG001 - a client must not live on across a fork
    return ObjectStore.from_settings(place.settings())
