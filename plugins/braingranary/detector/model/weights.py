"""Weights on disk: safetensors alone, pinned by sha256, checked before a single tensor is read.

A model file as code is a known way into such systems, so nothing here unpickles. The file's own metadata, and with it
the calibration and the thresholds, is covered by the pinned hash. In: bytes of a file and the hash that was pinned.
Out: `Model`, a network in eval mode with its `Facts`. Fails with RejectedInput, code `model_invalid`, on another hash,
another format, foreign or missing tensors, NaN weights, a file above `LARGEST_FILE_BYTES`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from braingranary.detector.contracts.model_metadata import (
    FORMAT,
    LARGEST_FILE_BYTES,
    SHIPPED,
    Calibration,
    Facts,
    check_widths,
    checked,
    facts_of,
    invalid,
    read_file,
    shipped_file,
)
from braingranary.detector.model.gate import Gate
from braingranary.detector.model.network import TumorNet, guarded

__all__ = [
    "FORMAT", "LARGEST_FILE_BYTES", "SHIPPED", "Calibration", "Facts", "Model", "assemble", "load", "load_shipped",
    "pack", "ship", "unpack",
]  # fmt: skip


GATE_LEVEL = re.compile(r"gate\.levels\.\d\.first\.weight")
"""A gate tells its widths by its tensors."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """A network that is ready to answer, and what is known about it."""

    network: TumorNet
    facts: Facts
    sha256: str


def pack(network: TumorNet, facts: Facts) -> bytes:
    """The weights file: float32 tensors and the facts as metadata."""
    tensors = {name: value.detach().float().contiguous().cpu() for name, value in network.state_dict().items()}
    # One metadata key alone: the format writes several in random order, and equal weights must have equal bytes.
    return bytes_of(tensors, metadata={FORMAT: json.dumps(asdict(facts), sort_keys=True)})


def unpack(data: bytes, sha256: str) -> Model:
    """The model in `data`, whose hash has to be `sha256`."""
    facts = facts_of(checked(data, sha256))
    network = TumorNet(facts.widths)
    try:
        tensors = tensors_of(data)
        gate_widths = tuple(len(tensors[name]) for name in sorted(filter(GATE_LEVEL.fullmatch, tensors)))
        if gate_widths:
            check_widths(gate_widths)
            # Models up to detector-3 asked the gate alone.
            alone = not any(name.startswith("brain_head.") for name in tensors)
            network = guarded(network, Gate(gate_widths), alone=alone)
        if any(not torch.isfinite(value).all() for value in tensors.values()):
            raise invalid("the weights hold NaN or infinity")
        network.load_state_dict(tensors, strict=True)
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise invalid("the weights are no safetensors of this network") from error
    return Model(network=network.eval().requires_grad_(False), facts=facts, sha256=sha256.lower())


def assemble(network: TumorNet, facts: Facts) -> Model:
    """A model from a network in memory, through its own bytes, so that it is what a later `load` will be."""
    data = pack(network, facts)
    return unpack(data, hashlib.sha256(data).hexdigest())


def load(path: Path, sha256: str) -> Model:
    """`unpack` of a file; a missing file is a RejectedInput too."""
    return unpack(read_file(path), sha256)


def ship(model: Model, folder: Path = SHIPPED) -> str:
    """Write the weights, then their pin, into `folder`; return the hash. A pin always names what is already there."""
    data = pack(model.network, model.facts)
    digest = hashlib.sha256(data).hexdigest()
    unpack(data, digest)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{model.facts.version}.safetensors"
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
