"""Which weights the front door detects with: those of the settings, of the catalogue's active model, or the shipped.

Why here and not in the detecting processes: they open hostile bytes, so they are given the weights and nothing that
could fetch any. A folder in the settings decides alone. Otherwise the catalogue's active model does, as for the batch.
Where it names none the weights that come with the library do; they stand in as well where at the start the catalogue
cannot be asked or its weights cannot be had, which the log tells, as every answer tells its model. What is loaded stays
while the catalogue is away.

Goes in: a folder or None, and ways to the catalogue and the store. Comes out: `Weights`, whose bytes have the pinned
hash. Fails with RejectedInput(MODEL_INVALID) where there is nothing at all to detect with.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psycopg
import structlog

from braingranary.catalog import model_registry
from braingranary.catalog.db import Connection
from braingranary.catalog.model_registry import ActiveWeights
from braingranary.detector.contracts.model_metadata import SHIPPED, invalid, read_metadata, shipped_file
from braingranary.detector.contracts.score_run import ModelPin
from braingranary.detector.contracts.stored_weights import stored_weights
from braingranary.errors import Code, GranaryError
from braingranary.storage.store import ObjectStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The bytes of one weights file with the hash that was pinned for them."""

    data: bytes = field(repr=False)
    sha256: str
    version: str
    origin: Literal["settings", "registry", "shipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Where the active model is told, and where its weights stand."""

    catalog: Callable[[], AbstractContextManager[Connection]]
    store: Callable[[], ObjectStore]


class WeightsSource:
    """What to detect with; asked again and again, by one thread at a time."""

    def __init__(self, folder: Path | None, registry: Registry | None = None) -> None:
        self._folder = folder
        self._registry = None if folder else registry
        self._refused: str | None = None
        self._told: str | None = None

    @property
    def may_change(self) -> bool:
        """Whether it is worth asking again."""
        return self._registry is not None

    def refuse(self, weights: Weights) -> None:
        """No process can load these: offer others until the registry names others."""
        self._refused = weights.sha256
        _log.error("model_refused", version=weights.version, origin=weights.origin)

    def wanted(self, loaded: Weights | None) -> Weights:
        """The weights to detect with from now on; `loaded` itself where they are to stay."""
        if self._registry is None:
            return loaded or _of_folder(self._folder)
        try:
            wanted = self._registered(self._registry, loaded)
        except (GranaryError, psycopg.Error) as error:
            wanted = loaded or _of_folder(None)
            self._tell(error.code if isinstance(error, GranaryError) else Code.CATALOG_UNAVAILABLE, wanted)
        else:
            self._told = None
        return wanted

    def _registered(self, registry: Registry, loaded: Weights | None) -> Weights:
        with registry.catalog() as connection:
            active = model_registry.active_weights(connection)
        if active is None:
            return loaded if loaded and loaded.origin == "shipped" else _of_folder(None)
        if loaded and loaded.sha256 == active.sha256:
            return loaded
        if active.sha256 == self._refused:
            raise invalid("the active model cannot be loaded")
        return _of_registry(registry.store(), active)

    def _tell(self, code: Code, instead: Weights) -> None:
        """Once, not at every question."""
        if code != self._told:
            self._told = code
            _log.warning("active_model_not_to_be_had", code=code, instead=instead.version, origin=instead.origin)


def _of_registry(store: ObjectStore, active: ActiveWeights) -> Weights:
    pin = ModelPin(version=active.version, sha256=active.sha256, weights_key=active.weights_key)
    data = stored_weights(store, pin)
    return Weights(data=data, sha256=active.sha256, version=active.version, origin="registry")


def _of_folder(folder: Path | None) -> Weights:
    data, sha256 = shipped_file(folder or SHIPPED)
    return Weights(
        data=data, sha256=sha256, version=read_metadata(data).version, origin="settings" if folder else "shipped"
    )
