"""What a weights file says about itself, read without torch: version, ids, licence, calibration, where it was trained.

The registry and a plan need no network, and importing torch costs seconds and hundreds of megabytes. In: bytes of a
file and the hash that was pinned. Out: `ModelMetadata`. Fails with RejectedInput: MODEL_INVALID on another hash,
another format or a file above `LARGEST_FILE_BYTES`, MODEL_UNSUPPORTED on a file that names no architecture and
preprocessing and is none of `legacy_weights`. Whether the tensors fit is for `model.weights.unpack` to say.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from braingranary.detector.contracts.legacy_weights import LEGACY_WEIGHTS
from braingranary.errors import Code, RejectedInput

FORMAT = "braingranary-detector-1"
LARGEST_FILE_BYTES = 12_000_000
LARGEST_HEADER_BYTES = 100_000
SHIPPED = Path(__file__).parent.parent / "shipped"
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
class ModelMetadata:
    """What a model says about itself; stored in the weights file."""

    version: str
    architecture: str
    """Id of the network, see `model.registry`."""
    preprocessing: str
    """Id of the way from a picture to the network, see `model.registry`."""
    license: str
    """SPDX id of the licence of the weights."""
    data_sha256: str
    trained_on: str
    """Sources and patients in words, for the model card and the registry."""
    calibration: Calibration

    def to_json(self) -> str:
        """Canonical JSON, as it stands in the weights file."""
        return json.dumps(asdict(self), sort_keys=True)


def checked(data: bytes, sha256: str) -> bytes:
    """`data` itself when it is small enough and has the pinned hash."""
    if len(data) > LARGEST_FILE_BYTES:
        raise invalid(f"weights may take {LARGEST_FILE_BYTES} bytes at most")
    if hashlib.sha256(data).hexdigest() != sha256.lower():
        raise invalid("the weights do not have the pinned sha256")
    return data


def read_file(path: Path) -> bytes:
    """The bytes of a weights file; a missing or oversized file is a RejectedInput too."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise invalid(f"weights may take {LARGEST_FILE_BYTES} bytes at most")
        return path.read_bytes()
    except OSError as error:
        raise invalid("the weights file cannot be read") from error


def shipped_file(folder: Path = SHIPPED) -> tuple[bytes, str]:
    """The weights that come with the library, checked against their pin, and that pin."""
    try:
        pin = json.loads((folder / "pin.json").read_text())
        name, digest = str(pin["file"]), str(pin["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise invalid("no pin beside the shipped weights") from error
    if Path(name).name != name:
        raise invalid("the pin names a file outside its folder")
    return checked(read_file(folder / name), digest), digest


def read_metadata(data: bytes) -> ModelMetadata:
    """The metadata out of a safetensors header: 8 bytes of length, then JSON (the format's specification)."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 0 < length <= min(LARGEST_HEADER_BYTES, len(data) - 8):
        raise invalid("the weights are no safetensors")
    try:
        raw = dict(json.loads(json.loads(data[8 : 8 + length])["__metadata__"][FORMAT]))
        calibration = Calibration(**{name: float(value) for name, value in raw.pop("calibration").items()})
        raw.pop("widths", None)  # of legacy files; the tensors tell their own shapes
        if "architecture" not in raw:
            raw |= _legacy_ids(data)
        metadata = ModelMetadata(**{name: str(value) for name, value in raw.items()}, calibration=calibration)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise invalid("the weights lack their metadata") from error
    if not all(math.isfinite(value) for value in asdict(calibration).values()):
        raise invalid("the weights hold a calibration that is no number")
    return metadata


def _legacy_ids(data: bytes) -> dict[str, str]:
    """Ids and licence of weights from before files named their own."""
    known = LEGACY_WEIGHTS.get(hashlib.sha256(data).hexdigest())
    if known is None:
        raise unsupported("the weights name no architecture and preprocessing, and are none of those known without")
    return asdict(known)


def invalid(message: str) -> RejectedInput:
    """The error of every weights file that cannot be trusted."""
    return RejectedInput(Code.MODEL_INVALID, message)


def unsupported(message: str) -> RejectedInput:
    """The error of weights that this library cannot answer with as they once did."""
    return RejectedInput(Code.MODEL_UNSUPPORTED, message)
