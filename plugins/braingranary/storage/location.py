"""Where objects live, as a Spark job is told: a location without credentials, and a small file there or at a path.

Every `run.json` names a location; the keys to it come from the environment of whoever reads it or from the instance's
role. Goes in: bucket, endpoint, region. Comes out: a store, made once a process. Fails with ConfigurationError on
settings that make no store and with what the store raises.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLocation:
    """Where objects live; credentials come from the environment or from the instance's role."""

    bucket: str
    endpoint_url: str | None = None
    region: str = "us-east-1"

    @classmethod
    def of(cls, settings: StoreSettings) -> StoreLocation:
        """The location that these settings name, without their credentials."""
        return cls(bucket=settings.bucket, endpoint_url=settings.endpoint_url, region=settings.region)

    def settings(self) -> StoreSettings:
        """This location, with the credentials of the process' environment."""
        return StoreSettings(bucket=self.bucket, endpoint_url=self.endpoint_url, region=self.region)

    def open(self) -> ObjectStore:
        """The store at this location: made once a process and shared by its threads, since to make a client is dear."""
        return _opened(self, os.getpid())


def read_at(location: str, endpoint_url: str | None) -> bytes:
    """The file at a path or at `s3://bucket/key`; `endpoint_url` None leaves it to the environment or AWS."""
    parts = urlsplit(location)
    if parts.scheme != "s3":
        return Path(location).read_bytes()
    return StoreLocation(bucket=parts.netloc, endpoint_url=endpoint_url).open().get(parts.path.lstrip("/"))


def current_location(run_json: str, endpoint_url: str | None, planned: StoreLocation) -> StoreLocation:
    """Where the objects of a run are now: in the store that its `run.json` was read from, else where it says.

    The address of a store may have changed since the run was planned; a run that is cleared keeps its plan.

    Args:
        run_json: path or s3://bucket/key that the job was read from.
        endpoint_url: of that store; None leaves it as planned.
        planned: the location that the job names.
    """
    parts = urlsplit(run_json)
    if parts.scheme != "s3":
        return planned
    return replace(planned, bucket=parts.netloc, endpoint_url=endpoint_url or planned.endpoint_url)


def run_json_arguments(settings: StoreSettings, key: str) -> list[str]:
    """argv with which a Spark job finds its `run.json` at `key`; `read_at` takes it from there."""
    endpoint = ["--endpoint-url", settings.endpoint_url] if settings.endpoint_url else []
    return ["--run-json", f"s3://{settings.bucket}/{key}", *endpoint]


@lru_cache(maxsize=4)
def _opened(place: StoreLocation, process: int) -> ObjectStore:  # noqa: ARG001 - a client must not live on across a fork
    return ObjectStore.from_settings(place.settings())
