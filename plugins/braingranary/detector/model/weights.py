"""Weights on disk: safetensors alone, pinned by sha256, checked before a single tensor is read.

A model file as code is a known way into such systems, so nothing here unpickles. The file's own metadata, and with it
ids, calibration and thresholds, is covered by the pinned hash. Fails with RejectedInput: MODEL_INVALID on another hash,
another format, foreign or missing tensors, NaN weights, a file above `LARGEST_FILE_BYTES`; MODEL_UNSUPPORTED on an
architecture or a preprocessing that this library does not have.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import nn

from braingranary.detector.contracts.model_metadata import (
    FORMAT,
    SHIPPED,
    ModelMetadata,
    checked,
    invalid,
    read_file,
    read_metadata,
    shipped_file,
)
from braingranary.detector.model.interface import Architecture
from braingranary.detector.model.preprocessing.pipeline import Prepare
from braingranary.detector.model.registry import architecture_of, preprocessing_of


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """A network that is ready to answer, the way pictures take to it, and what is known about both."""

    network: nn.Module
    """In eval mode, (N, 1, S, S) float32 to `Answers`."""
    architecture: Architecture
    prepare: Prepare
    metadata: ModelMetadata
    sha256: str

    def optimized(self) -> nn.Module:
        """A copy of the network that answers the same up to rounding, faster."""
        return self.architecture.optimize(self.network)


def pack(network: nn.Module, metadata: ModelMetadata) -> bytes:
    """The weights file: float32 tensors and the metadata."""
    tensors = {name: value.detach().float().contiguous().cpu() for name, value in network.state_dict().items()}
    # One metadata key alone: the format writes several in random order, and equal weights must have equal bytes.
    return bytes_of(tensors, metadata={FORMAT: metadata.to_json()})


def unpack(data: bytes, sha256: str) -> Model:
    """The model in `data`, whose hash has to be `sha256`."""
    metadata = read_metadata(checked(data, sha256))
    architecture, prepare = architecture_of(metadata.architecture), preprocessing_of(metadata.preprocessing)
    try:
        tensors = tensors_of(data)
        if any(not torch.isfinite(value).all() for value in tensors.values()):
            raise invalid("the weights hold NaN or infinity")
        network = architecture.build(tensors)
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise invalid("the weights are no safetensors of this network") from error
    network = network.eval().requires_grad_(False)
    return Model(network=network, architecture=architecture, prepare=prepare, metadata=metadata, sha256=sha256.lower())


def assemble(network: nn.Module, metadata: ModelMetadata) -> Model:
    """A model from a network in memory, through its own bytes, so that it is what a later `load` will be."""
    data = pack(network, metadata)
    return unpack(data, hashlib.sha256(data).hexdigest())


def load(path: Path, sha256: str) -> Model:
    """`unpack` of a file; a missing file is a RejectedInput too."""
    return unpack(read_file(path), sha256)


def ship(model: Model, folder: Path = SHIPPED) -> str:
    """Write the weights, then their pin, into `folder`; return the hash. A pin always names what is already there."""
    data = pack(model.network, model.metadata)
    digest = hashlib.sha256(data).hexdigest()
    unpack(data, digest)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{model.metadata.version}.safetensors"
    partial = folder / f"{name}.partial"
    partial.write_bytes(data)
    partial.replace(folder / name)
    pin = folder / "pin.json.partial"
    pin.write_text(json.dumps({"file": name, "sha256": digest}, indent=2) + "\n")
    pin.replace(folder / "pin.json")
    return digest


def load_shipped(folder: Path = SHIPPED) -> Model:
    """The model that comes with the library, checked against its pin."""
    return unpack(*shipped_file(folder))
