"""The registry of detector models: which versions there are, with their hash and thresholds, and which one is active.

A version never changes its bytes: registering it again is a no-op, with other weights it is refused. Activating is a
matter of one transaction, after which the named queries offer another model's word. Goes in: a connection and a
`ModelRecord`, which names where the weights stand in the object store. Comes out: records. Fails with RejectedInput
(MODEL_INVALID: same version with other weights, NOT_FOUND: no such version) and as `transaction` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from braingranary.catalog.db import one
from braingranary.catalog.load.transaction import (
    Connection,
    leave_idle,
    load_transaction,
    mapped,
    raise_catalogue_state,
)
from braingranary.catalog.sql import statement
from braingranary.errors import Code, RejectedInput
from braingranary.records import stable_id

MODEL_ID_BITS: Final = 31  # narrow, because every scored slice carries it; the unique version catches a collision

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """One registered model; a row of table `model`."""

    version: str
    sha256: str
    weights_key: str
    data_sha256: str
    trained_on: str
    calibration_slope: float
    calibration_offset: float
    tumor_threshold: float
    series_threshold: float
    brain_threshold: float
    lesion_threshold: float
    architecture: str | None = None
    """Id of the network; None in a row from before ids were recorded, as the next two."""
    preprocessing: str | None = None
    """Id of the way from a picture to the network."""
    license: str | None = None
    """SPDX id of the licence of the weights."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    active: bool = False
    registered_at: datetime | None = None
    """None for a record that is not registered yet."""
    model_id: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveWeights:
    """What is needed to get hold of the active model: its name, the pinned hash, the key in the object store."""

    version: str
    sha256: str
    weights_key: str


def model_id(version: str) -> int:
    """Key of `model`: stable, and narrow enough for ten million rows."""
    return stable_id("model", version) >> (63 - MODEL_ID_BITS)


def register(connection: Connection, record: ModelRecord) -> ModelRecord:
    """Register `record`, active at once where no model is; returns what stands in the registry then.

    A known version keeps its row, which takes the ids that it lacks; figures that are given replace the ones before.
    """
    values = {name: getattr(record, name) for name in _WRITTEN}
    with load_transaction(connection):
        values |= {"model_id": model_id(record.version), "figures": Jsonb(dict(record.figures))}
        connection.execute(statement("scores/register_model"), values)
        standing = _of_version(connection, record.version)
        if standing.sha256 != record.sha256:
            raise RejectedInput(Code.MODEL_INVALID, f"version {record.version} is registered with other weights")
        connection.execute(statement("scores/complete_model"), values)
        if record.figures:
            connection.execute(statement("scores/tell_figures"), values)
        if not any(known.active for known in _all(connection)):
            _activate(connection, record.version)
        standing = _of_version(connection, record.version)
    _log.info("model_registered", version=standing.version, active=standing.active)
    return standing


def activate(connection: Connection, version: str) -> ModelRecord:
    """Make `version` the one whose word counts, and every count that rests on it fresh."""
    with load_transaction(connection):
        _of_version(connection, version)
        _activate(connection, version)
        standing = _of_version(connection, version)
    _log.info("model_activated", version=version)
    return standing


def listed(connection: Connection) -> list[ModelRecord]:
    """Every registered model, the newest first."""
    with mapped():
        found = _all(connection)
        leave_idle(connection)
    return found


def active(connection: Connection) -> ModelRecord | None:
    """The active model, if there is one."""
    return next((record for record in listed(connection) if record.active), None)


def active_weights(connection: Connection) -> ActiveWeights | None:
    """The weights of the active model, if there is one: for who asks every few seconds."""
    with mapped():
        found = one(connection, ActiveWeights, "active_weights", {})
        leave_idle(connection)
    return found


def of_version(connection: Connection, version: str) -> ModelRecord:
    """The model of that version; raises RejectedInput(NOT_FOUND)."""
    with mapped():
        found = _of_version(connection, version)
        leave_idle(connection)
    return found


_WRITTEN: Final = (
    "version", "sha256", "weights_key", "data_sha256", "trained_on", "calibration_slope", "calibration_offset",
    "tumor_threshold", "series_threshold", "brain_threshold", "lesion_threshold", "architecture", "preprocessing",
    "license",
)  # fmt: skip


def _activate(connection: Connection, version: str) -> None:
    connection.execute(statement("scores/deactivate_others"), {"version": version})
    changed = connection.execute(statement("scores/activate_model"), {"version": version}).rowcount
    if changed:
        raise_catalogue_state(connection)


def _of_version(connection: Connection, version: str) -> ModelRecord:
    for record in _all(connection):
        if record.version == version:
            return record
    raise RejectedInput(Code.NOT_FOUND, f"no model of version {version} is registered")


def _all(connection: Connection) -> list[ModelRecord]:
    with connection.cursor(row_factory=class_row(ModelRecord)) as cursor:
        return cursor.execute(statement("queries/models")).fetchall()
