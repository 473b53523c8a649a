"""Weights in the object store: the bytes of one registered model, no more of them than a model may have.

For whoever is given a pin: a job's run.json or the registry. Imports no torch, so that who fetches weights need not be
who runs them. In: a store and a `ModelPin`. Out: the bytes, which have the pinned hash. Fails with
RejectedInput(MODEL_INVALID) on other bytes, too many, or those of another version, and as the store does.
"""

from __future__ import annotations

from braingranary.detector.contracts.model_metadata import LARGEST_FILE_BYTES, checked, invalid, read_metadata
from braingranary.detector.contracts.score_run import ModelPin
from braingranary.storage.store import ObjectStore


def stored_weights(store: ObjectStore, pin: ModelPin) -> bytes:
    """The weights file of `pin`."""
    data = bytearray()
    for chunk in store.stream(pin.weights_key):
        data += chunk
        if len(data) > LARGEST_FILE_BYTES:
            break  # no more is read, and `checked` refuses what was
    weights = checked(bytes(data), pin.sha256)
    if read_metadata(weights).version != pin.version:
        raise invalid("the weights are of another version than was asked for")
    return weights
