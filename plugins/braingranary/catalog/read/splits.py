"""To which part of an experiment a subject belongs: training, validation or test; the same in all collections.

The part follows from the subject alone. So all series of a person land on one side whatever collection they came with,
new data move nobody, and two people who download different queries never train on each other's test set. Seventy of a
hundred hash buckets train, fifteen validate, fifteen test.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

_SALT: Final = b"braingranary split 1\x1f"  # another rule would be another number: published splits stay
_BUCKETS: Final = 100
_TRAIN_BELOW: Final = 70
_VALIDATION_BELOW: Final = 85


class Split(StrEnum):
    """A part of an experiment."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def split_of(subject: str) -> Split:
    """The part of the subject with this identifier."""
    digest = hashlib.blake2b(_SALT + subject.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    bucket = int.from_bytes(digest, "big") % _BUCKETS
    if bucket < _TRAIN_BELOW:
        return Split.TRAIN
    return Split.VALIDATION if bucket < _VALIDATION_BELOW else Split.TEST
