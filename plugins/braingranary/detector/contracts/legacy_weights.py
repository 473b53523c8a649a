"""Weights that were published before files named their architecture and preprocessing, by sha256.

Closed: every newer file carries its ids in its metadata. detector-1 is not among them, because its network is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyIds:
    """What such a file would say if it were written today."""

    preprocessing: str
    architecture: str = "encoder-decoder-1"
    license: str = "CC-BY-NC-SA-4.0"


LEGACY_WEIGHTS: Final[Mapping[str, LegacyIds]] = {
    # detector-2, first with one threshold on average, then with one that holds in every contrast
    "780d47869322f22c65cfe7b2b35906a43e6648ce6b328d78384d5eb0c46eba29": LegacyIds(preprocessing="foreground-box-1"),
    "59087e64b004eda9387da8618ab3afce10b03781b0afa65ef6a10b73946d0c65": LegacyIds(preprocessing="foreground-box-1"),
    # detector-3
    "62a949be43a8eef9cf47dba6a64326aae91c41e367ba1e8aa8543a0aa0d7febe": LegacyIds(preprocessing="foreground-box-1"),
    # detector-4
    "66ce060e30fa2b7e2d157485afa841e4ef0691c13e35b32b161410dfd607bfb7": LegacyIds(preprocessing="foreground-box-1"),
    # detector-5
    "4c94462c7556362bcebde9700c7dcc7f5428056252115a761f6cb397dd3e5277": LegacyIds(preprocessing="head-box-1"),
}
