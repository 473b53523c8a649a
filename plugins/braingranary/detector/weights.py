"""Weights on disk: safetensors alone, pinned by sha256, checked before a single tensor is read.

A model file as code is a known way into such systems, so nothing here unpickles. The file's own metadata, and with it
the calibration and the thresholds, is covered by the pinned hash. In: bytes of a file and the hash that was pinned.
Out: `Model`, a network in eval mode with its `Facts`. Fails with RejectedInput, code `model_invalid`, on another hash,
another format, foreign or missing tensors, NaN weights, a file above `LARGEST_FILE_BYTES`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from braingranary.detector.network import TumorNet
from braingranary.errors import Code, RejectedInput

FORMAT = "braingranary-detector-1"
LARGEST_FILE_BYTES = 12_000_000
LARGEST_HEADER_BYTES = 100_000
WIDTH_LIMIT = 512
SHIPPED = Path(__file__).parent / "shipped"
"""Folder of the weights that come with the library, and of their pin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How logits become probabilities and verdicts; everything chosen on validation patients."""

    slope: float = 1.0
    offset: float = 0.0
    """probability = sigmoid(slope * logit + offset)."""
    tumor_threshold: float = 0.5
    """A slice whose calibrated probability reaches it is called Tumor."""
    series_threshold: float = 0.5
    """The same for a series, after `score.series_logit`."""
    brain_threshold: float = 0.5
    """A picture whose brain probability stays below it is declined."""
    lesion_threshold: float = 0.5
    """Pixel probability from which on a pixel belongs to the outline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a model says about itself; stored in the weights file."""

    version: str
    widths: tuple[int, ...]
    data_sha256: str
    trained_on: str
    """Sources and patients in words, for the model card and the registry."""
    calibration: Calibration


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
    if len(data) > LARGEST_FILE_BYTES:
        raise _invalid(f"weights may take {LARGEST_FILE_BYTES} bytes at most")
    if hashlib.sha256(data).hexdigest() != sha256.lower():
        raise _invalid("the weights do not have the pinned sha256")
    facts = _facts(data)
    network = TumorNet(facts.widths)
    try:
        tensors = tensors_of(data)
        if any(not torch.isfinite(value).all() for value in tensors.values()):
            raise _invalid("the weights hold NaN or infinity")
        network.load_state_dict(tensors, strict=True)
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise _invalid("the weights are no safetensors of this network") from error
    return Model(network=network.eval().requires_grad_(False), facts=facts, sha256=sha256.lower())


def assemble(network: TumorNet, facts: Facts) -> Model:
    """A model from a network in memory, through its own bytes, so that it is what a later `load` will be."""
    data = pack(network, facts)
    return unpack(data, hashlib.sha256(data).hexdigest())


def load(path: Path, sha256: str) -> Model:
    """`unpack` of a file; a missing file is a RejectedInput too."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise _invalid(f"weights may take {LARGEST_FILE_BYTES} bytes at most")
        data = path.read_bytes()
    except OSError as error:
        raise _invalid("the weights file cannot be read") from error
    return unpack(data, sha256)


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
    try:
        pin = json.loads((folder / "pin.json").read_text())
        name, digest = str(pin["file"]), str(pin["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _invalid("no pin beside the shipped weights") from error
    if Path(name).name != name:
        raise _invalid("the pin names a file outside its folder")
    return load(folder / name, digest)


def _facts(data: bytes) -> Facts:
    """The facts out of a safetensors header: 8 bytes of length, then JSON (the format's specification)."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 0 < length <= min(LARGEST_HEADER_BYTES, len(data) - 8):
        raise _invalid("the weights are no safetensors")
    try:
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        raw = json.loads(metadata[FORMAT])
        calibration = Calibration(**{name: float(value) for name, value in raw.pop("calibration").items()})
        widths = tuple(int(width) for width in raw.pop("widths"))
        facts = Facts(**{name: str(value) for name, value in raw.items()}, widths=widths, calibration=calibration)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _invalid("the weights lack their facts") from error
    if len(widths) < 3 or any(width % 8 or not 8 <= width <= WIDTH_LIMIT for width in widths):
        raise _invalid("the weights claim widths that this network does not have")
    if not all(math.isfinite(value) for value in asdict(calibration).values()):
        raise _invalid("the weights hold a calibration that is no number")
    return facts


def _invalid(message: str) -> RejectedInput:
    return RejectedInput(Code.MODEL_INVALID, message)
