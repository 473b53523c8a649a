"""A profile: every choice that decides the bytes which normalization makes, under one name.

The same profile gives the same bytes for the same input everywhere, so the name must change with any of its values:
it is `v1` for the defaults and carries a digest of the values otherwise. Goes in: numbers. Comes out: a frozen value
that travels as JSON in `run.json` and in every sidecar. Fails with ConfigurationError on values out of range.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, ConfigurationError
from braingranary.imaging.intensity import WindowRule

ALGORITHM_VERSION: Final = 1
"""Counts up whenever code changes the bytes made of the same values, so that old and new never share a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How volumes become slices."""

    low_percentile: float = 0.5
    """Foreground percentile shown as black."""
    high_percentile: float = 99.5
    """Foreground percentile shown as white."""
    tissue_fraction: float = 0.1
    """Foreground begins at most this far on the way from air to bright tissue; see `imaging.intensity`."""
    air_sigmas: float = 4.0
    """Foreground begins at most this many sigmas of the air's noise above no signal; see `imaging.intensity`."""
    jpeg_quality: int = 90
    isotropy_limit: float = 2.0
    """Volumes whose largest spacing is at most this many times the smallest one also get the other two planes."""
    reformat_slices: int = 50
    """Central slices kept of each plane that was not acquired."""
    algorithm: int = ALGORITHM_VERSION

    def __post_init__(self) -> None:
        """Refuse values that cannot make an image."""
        sound = (
            0 <= self.low_percentile < self.high_percentile <= 100
            and 0 < self.tissue_fraction < 1
            and self.air_sigmas > 0
            and 1 <= self.jpeg_quality <= 100
            and self.isotropy_limit >= 1
            and self.reformat_slices >= 0
        )
        if not sound:
            raise ConfigurationError(Code.CONFIGURATION_INVALID, "profile: a value is out of range")

    @property
    def name(self) -> str:
        """`v1` for the defaults, `v1-<8 hex digits>` for any other values."""
        digest = _digest(self)
        return "v1" if digest == _digest(DEFAULT_PROFILE) else f"v1-{digest[:8]}"

    @property
    def window_rule(self) -> WindowRule:
        """The part of the profile that finds a volume's window."""
        return WindowRule(
            low_percentile=self.low_percentile,
            high_percentile=self.high_percentile,
            tissue_fraction=self.tissue_fraction,
            air_sigmas=self.air_sigmas,
        )

    def values(self) -> dict[str, float | int]:
        """Every value by name."""
        return asdict(self)

    def to_json(self) -> str:
        """The values as canonical JSON: equal profiles give equal text."""
        return json.dumps(self.values(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile:
        """The profile told by `text`; unknown or wrong values raise ConfigurationError(CONFIGURATION_INVALID)."""
        try:
            values = _VALUES.validate_json(text)
            return cls(**values)  # type: ignore[arg-type]
        except (ValidationError, TypeError) as error:
            raise ConfigurationError(Code.CONFIGURATION_INVALID, "profile: not the values of a profile") from error


_VALUES: Final = TypeAdapter(dict[str, float | int])


def _digest(profile: Profile) -> str:
    # 1 and 1.0 are one value, so every number is hashed as a float.
    values = {name: float(value) for name, value in profile.values().items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


DEFAULT_PROFILE: Final = Profile()
