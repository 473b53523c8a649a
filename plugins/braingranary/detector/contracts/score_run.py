"""What a scoring run is told and what it gives back: plain values with a JSON form, and the schemas of its row files.

`runs/score/<run>/run.json` names the model by version, hash and key, and the packs to look at, so that the job asks
nobody else; `parts/<part>/` holds row files that nobody reads before `published.json` lists the part. Imports no torch,
so that a plan costs nothing. Fails with ConfigurationError on a run.json, RejectedInput(MANIFEST_INVALID) on a part or
a published run that do not tell this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import structlog
from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, ConfigurationError
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation
from braingranary.storage.row_files import REJECTS, schema
from braingranary.storage.run_parts import digest_name, read_record, total
from braingranary.storage.store import ObjectStore

STEP: Final = "score"
BATCH_BYTES_DEFAULT: Final = 16 * 1024 * 1024
"""About 1,500 slices of 256 pixels: half a minute of one core, so a task's own cost stays below a few percent."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPin:
    """One model: its name, the hash its weights must have and where they stand."""

    version: str
    sha256: str
    weights_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackToScore:
    """One slice pack; `acquired` is False for a reformat, which does not speak for the series."""

    pack_id: int
    object_key: str
    sha256: str
    pack_bytes: int
    acquired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesToScore:
    """One series and those of its packs that a model looks at; one of them, at least, is the acquired plane."""

    series_id: int
    series_uid: str
    archive: str
    collection: str
    input_sha256: str
    """The catalogue's name for exactly these packs; carried through, so that the load can tell old from new."""
    packs: tuple[PackToScore, ...]

    @property
    def bytes(self) -> int:
        """Bytes to read."""
        return sum(pack.pack_bytes for pack in self.packs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob:
    """One run of the score step."""

    run: str
    store: StoreLocation
    model: ModelPin
    series: tuple[SeriesToScore, ...]
    batch_bytes: int = BATCH_BYTES_DEFAULT

    def to_json(self) -> bytes:
        """Canonical JSON: the same job gives the same bytes."""
        return _JOB.dump_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> ScoreJob:
        """The job in `text`; raises ConfigurationError(CONFIGURATION_INVALID)."""
        try:
            return _JOB.validate_json(text)
        except ValidationError as error:
            raise ConfigurationError(Code.CONFIGURATION_INVALID, "run.json: not a score job") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPart:
    """One batch, done."""

    part: str
    tables: Mapping[str, str]
    """Object key of the Parquet file by table name (`TABLES`)."""
    rows: Mapping[str, int]

    def to_json(self) -> str:
        """Canonical JSON of this part."""
        return _PART.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> ScoredPart:
        """The part in `text`."""
        return read_record(_PART, text, "a part of a score run")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRun:
    """The content of `runs/score/<run>/published.json`."""

    run: str
    model_version: str
    model_sha256: str
    parts: tuple[ScoredPart, ...]

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of the whole run by table name."""
        return dict.fromkeys(TABLES, 0) | total(part.rows for part in self.parts)

    def to_json(self) -> bytes:
        """Canonical JSON: the same parts give the same bytes."""
        return _RUN.dump_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> ScoredRun:
        """The run in `text`."""
        return read_record(_RUN, text, "a published score run")


_JOB: Final = TypeAdapter(ScoreJob)
_PART: Final = TypeAdapter(ScoredPart)
_RUN: Final = TypeAdapter(ScoredRun)


SERIES: Final = schema(
    [
        pa.field("series_id", pa.int64(), nullable=False),
        pa.field("input_sha256", pa.string(), nullable=False),
        pa.field("tumor_logit", pa.float32()),  # null, as the next three, where the series is declined
        pa.field("tumor_probability", pa.float32()),
        pa.field("peak_pack_id", pa.int64()),
        pa.field("peak_slice_index", pa.int32()),
        pa.field("slice_count", pa.int32(), nullable=False),  # of the acquired plane
        pa.field("accepted_count", pa.int32(), nullable=False),
        pa.field("declined", pa.bool_(), nullable=False),
    ]
)
SLICES: Final = schema(
    [
        pa.field("pack_id", pa.int64(), nullable=False),
        pa.field("slice_index", pa.int32(), nullable=False),
        pa.field("tumor_logit", pa.float32(), nullable=False),
        pa.field("tumor_probability", pa.float32(), nullable=False),
        pa.field("brain_probability", pa.float32(), nullable=False),
        pa.field("lesion_area_px", pa.float32(), nullable=False),
    ]
)
TABLES: Final = {"series": SERIES, "slices": SLICES, "rejects": REJECTS}


def part_name(series: Sequence[SeriesToScore], model: ModelPin) -> str:
    """The name of the part that holds exactly these packs by this model, whatever their order."""
    return digest_name(model.sha256, (f"{one.series_uid} {one.input_sha256}" for one in series))


def write_run_json(store: ObjectStore, job: ScoreJob) -> str:
    """Write the job's `run.json` unless it stands: a repeated run does what the first was told to; gives its key."""
    key = keys.run_json(STEP, job.run)
    store.put(key, job.to_json(), if_absent=True)
    return key


def publish(store: ObjectStore, job: ScoreJob, parts: Iterable[ScoredPart]) -> ScoredRun:
    """Publish the run unless it is published already; returns what stands there, ours or the winner's."""
    ours = ScoredRun(
        run=job.run,
        model_version=job.model.version,
        model_sha256=job.model.sha256,
        parts=tuple(sorted(parts, key=lambda part: part.part)),
    )
    won = store.put(keys.published(STEP, job.run), ours.to_json(), if_absent=True)
    _log.info("score_published", run=job.run, parts=len(ours.parts), won=won, **ours.rows)
    return ours if won else read_published(store, job.run)


def read_published(store: ObjectStore, run: str) -> ScoredRun:
    """The published run; raises RejectedInput(OBJECT_MISSING) while it is not published."""
    return ScoredRun.from_json(store.get(keys.published(STEP, run)))
