"""`run.json`: everything a Spark job of this step needs to know, apart from credentials.

Written to the store by whoever starts the job, read by the driver, so that a run can be repeated by hand from the file
alone. Goes in: a run, a profile, where objects live and what to do. Comes out: the same, from JSON. Fails with
ConfigurationError on a file that does not tell this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, ConfigurationError
from braingranary.normalization.parts import STEP
from braingranary.normalization.plan import BATCH_BYTES_DEFAULT, PendingSeries
from braingranary.normalization.profile import DEFAULT_PROFILE, Profile
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizeJob:
    """One run of the normalize step."""

    run: str
    store: StoreLocation
    series: tuple[PendingSeries, ...]
    profile: Profile = DEFAULT_PROFILE
    batch_bytes: int = BATCH_BYTES_DEFAULT

    def to_json(self) -> bytes:
        """Canonical JSON: the same job gives the same bytes."""
        return _JOB.dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> NormalizeJob:
        """The job told by `text`; raises ConfigurationError(CONFIGURATION_INVALID)."""
        try:
            return _JOB.validate_json(text)
        except ValidationError as error:
            raise ConfigurationError(Code.CONFIGURATION_INVALID, "run.json: not a normalize job") from error


_JOB: Final = TypeAdapter(NormalizeJob)


def run_json_key(run: str) -> str:
    """Object key of a run's `run.json`."""
    return keys.run_json(STEP, run)


def write_run_json(store: ObjectStore, job: NormalizeJob) -> str:
    """Write the job's `run.json` unless it stands: a repeated run does what the first was told to; gives its key."""
    key = run_json_key(job.run)
    store.put(key, job.to_json(), if_absent=True)
    return key
