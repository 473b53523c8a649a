"""From a weights file to the registry: the bytes go to the object store, their metadata to the catalogue.

Figures and the choice of the active version are kept beside the weights, so that the registry can be rebuilt from the
object store alone. It is what a person does with `granary model register`, what training does at its end and what the
scoring DAG does with the weights that come with the library. Reads no tensor and imports no torch. In: bytes with their
hash, figures if there are any. Out: the registered `ModelRecord`; registering twice changes nothing. Fails with
RejectedInput(MODEL_INVALID) and as the store and the catalogue do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from braingranary.catalog import model_registry as models
from braingranary.catalog.load.transaction import Connection
from braingranary.catalog.model_registry import ModelRecord
from braingranary.detector.contracts.model_metadata import SHIPPED, checked, read_file, read_metadata, shipped_file
from braingranary.errors import Code, RejectedInput
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

_WEIGHTS_SUFFIX: Final = ".safetensors"
FIGURES: Final = "evaluation.json"
"""Beside the weights, in the folder of the shipped ones and in the work folder of a training alike."""


def register_weights(
    connection: Connection, store: ObjectStore, data: bytes, sha256: str, *, figures: Mapping[str, Any] | None = None
) -> ModelRecord:
    """Register the weights in `data`; they become active where no model is."""
    standing = _register(connection, store, data, sha256, figures or {})
    if figures:
        told = json.dumps(dict(figures), sort_keys=True).encode()
        _put_changed(store, keys.figures(standing.version, standing.sha256), told)
    if standing.active:
        _tell_active(store, standing)
    return standing


def _register(
    connection: Connection, store: ObjectStore, data: bytes, sha256: str, figures: Mapping[str, Any]
) -> ModelRecord:
    metadata = read_metadata(checked(data, sha256))
    key = keys.weights(metadata.version, sha256.lower())
    store.put(key, data, if_absent=True)
    record = ModelRecord(
        version=metadata.version,
        sha256=sha256.lower(),
        weights_key=key,
        data_sha256=metadata.data_sha256,
        trained_on=metadata.trained_on,
        architecture=metadata.architecture,
        preprocessing=metadata.preprocessing,
        license=metadata.license,
        calibration_slope=metadata.calibration.slope,
        calibration_offset=metadata.calibration.offset,
        tumor_threshold=metadata.calibration.tumor_threshold,
        series_threshold=metadata.calibration.series_threshold,
        brain_threshold=metadata.calibration.brain_threshold,
        lesion_threshold=metadata.calibration.lesion_threshold,
        figures=figures,
    )
    return models.register(connection, record)


def activate(connection: Connection, store: ObjectStore, version: str) -> ModelRecord:
    """Make `version` the one whose word counts; see `model_registry.activate`."""
    record = models.activate(connection, version)
    _tell_active(store, record)
    return record


def register_stored(connection: Connection, store: ObjectStore) -> int:
    """Register every model whose weights the store holds, and activate the one that was active; returns how many."""
    stored = sorted(store.list("models/"), key=lambda info: (info.modified, info.key))
    weights = [info.key for info in stored if info.key.endswith(_WEIGHTS_SUFFIX)]
    for key in weights:
        sha256 = key.rsplit("/", 1)[1].removesuffix(_WEIGHTS_SUFFIX)
        data = store.get(key)
        figures_key = keys.figures(read_metadata(checked(data, sha256)).version, sha256)
        figures = json.loads(store.get(figures_key)) if store.exists(figures_key) else {}
        _register(connection, store, data, sha256, figures)
    if store.exists(keys.active_model()):
        models.activate(connection, str(json.loads(store.get(keys.active_model()))["version"]))
    return len(weights)


def _tell_active(store: ObjectStore, record: ModelRecord) -> None:
    told = json.dumps({"sha256": record.sha256, "version": record.version}).encode()
    _put_changed(store, keys.active_model(), told)


def _put_changed(store: ObjectStore, key: str, data: bytes) -> None:
    if not store.put(key, data, if_absent=True) and store.get(key) != data:
        store.put(key, data)


def register_shipped(connection: Connection, store: ObjectStore, folder: Path = SHIPPED) -> ModelRecord | None:
    """Register the weights that come with the library; None where none do."""
    if not is_shipped(folder):
        return None
    data, sha256 = shipped_file(folder)
    return register_weights(connection, store, data, sha256, figures=read_figures(folder / FIGURES))


def is_shipped(folder: Path = SHIPPED) -> bool:
    """Whether weights come with the library."""
    return (folder / "pin.json").is_file()


def read_pinned(path: Path) -> tuple[bytes, str]:
    """A weights file and the hash that training pinned beside it, as <name>.sha256."""
    pin = path.with_suffix(".sha256")
    if not pin.is_file():
        raise RejectedInput(Code.MODEL_INVALID, f"no {pin.name} beside the weights")
    return read_file(path), pin.read_text().strip()


def read_figures(path: Path) -> dict[str, Any]:
    """The evaluation that was written there; nothing where none was."""
    if not path.is_file():
        return {}
    try:
        figures = json.loads(path.read_text())
    except ValueError as error:
        raise RejectedInput(Code.MODEL_INVALID, "the figures of the evaluation are no JSON") from error
    if not isinstance(figures, dict):
        raise RejectedInput(Code.MODEL_INVALID, "the figures of the evaluation are no JSON object")
    return figures
