"""Which detectors there are: the ids that stand in weights files, to the architecture and preprocessing they name.

A registered model answers for ever as on the day it was registered, so an entry is never changed or taken away while
weights that name it may be in use; what is better gets a new id. docs/how-to/add-a-detector.md tells how to add one.
"""

from __future__ import annotations

from typing import Final

from braingranary.detector.contracts.model_metadata import unsupported
from braingranary.detector.model.encoder_decoder.architecture import ENCODER_DECODER
from braingranary.detector.model.interface import Architecture
from braingranary.detector.model.preprocessing.pipeline import FOREGROUND_BOX, HEAD_BOX, Prepare

ARCHITECTURES: Final[dict[str, Architecture]] = {one.id: one for one in (ENCODER_DECODER,)}
PREPROCESSINGS: Final[dict[str, Prepare]] = {one.id: one.prepare for one in (FOREGROUND_BOX, HEAD_BOX)}


def architecture_of(name: str) -> Architecture:
    """The architecture of that id; raises RejectedInput(MODEL_UNSUPPORTED)."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise unsupported(f"this library has no architecture {name!r}") from None


def preprocessing_of(name: str) -> Prepare:
    """The preprocessing of that id; raises RejectedInput(MODEL_UNSUPPORTED)."""
    try:
        return PREPROCESSINGS[name]
    except KeyError:
        raise unsupported(f"this library has no preprocessing {name!r}") from None
