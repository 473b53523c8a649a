"""One batch of series, scored and written: the unit of work of a Spark task.

Goes in: series with their packs, and a model that was loaded once for the process. Comes out: one row a series, one row
a slice, as Parquet under `runs/score/<run>/parts/`, and a `ScoredPart`. Every slice of every given pack is scored; the
acquired plane alone decides about the series (`score.score_series`), its reformats show the same tissue resampled. A
pack that does not have its hash, or a slice that cannot be read, gives a reject row and a quarantine note, and the rest
goes on; only a store that fails (TransientFailure) or wrong settings end a batch, and then it is run again and ends in
the same state. A batch that is done already is not done again.

Weights come from the store as bytes and are refused (MODEL_INVALID) unless they have the hash the job pins.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, overload

import numpy as np
import structlog
import torch

from braingranary.detector.contracts.score_run import (
    STEP,
    TABLES,
    ModelPin,
    PackToScore,
    ScoredPart,
    SeriesToScore,
    part_name,
)
from braingranary.detector.contracts.stored_weights import stored_weights
from braingranary.detector.inference.score import Scorer, SliceScore, score_series, series_logit
from braingranary.detector.model.preprocessing.picture import Picture
from braingranary.detector.model.weights import unpack
from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.imaging import jpeg
from braingranary.imaging.slicepack import read_pack
from braingranary.records import Reject
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation
from braingranary.storage.row_files import Row, checked_table, parquet_bytes, reject_row
from braingranary.storage.store import ObjectStore

_AHEAD: Final = 2  # series whose packs arrive or wait while one is computed
_NO_PLANE: Final = np.zeros((1, 1), dtype=np.float32)
_log = structlog.get_logger(__name__)


def open_scorer(place: StoreLocation, model: ModelPin) -> Scorer:
    """The scorer of `model`, loaded once a process, on one thread: as many processes run as there are cores.

    Raises RejectedInput(MODEL_INVALID) where the bytes in the store are not the pinned ones.
    """
    return _opened(place, model, os.getpid())


@lru_cache(maxsize=2)
def _opened(place: StoreLocation, model: ModelPin, process: int) -> Scorer:  # noqa: ARG001 - torch does not survive a fork
    torch.set_num_threads(1)
    return Scorer(unpack(stored_weights(place.open(), model), model.sha256))


def score_batch(
    store: ObjectStore, series: Sequence[SeriesToScore], model: ModelPin, run: str, scorer: Scorer
) -> ScoredPart:
    """Score the packs of `series` and write their rows; a batch that is done already is not done again.

    Args:
        store: holds the packs and takes the row files.
        series: in any order; the part's name does not depend on it.
        model: what `scorer` was loaded from.
        run: id of the score run.
        scorer: the loaded model.

    Returns:
        The finished part: keys and numbers of rows by table.

    Raises:
        TransientFailure, ConfigurationError: of the store; the batch may be run again.
    """
    ordered = sorted(series, key=lambda one: one.series_id)
    part = part_name(ordered, model)
    if (done := _finished(store, run, part)) is not None:
        return done
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="packs") as transfers:
        for one, arriving in _arriving(store, ordered, transfers):
            for table, made in _outcome(store, one, arriving, scorer, model).items():
                rows[table].extend(made)
    tables = {}
    for name, schema in TABLES.items():
        tables[name] = keys.part_object(STEP, run, part, f"{name}.parquet")
        store.put(tables[name], parquet_bytes(checked_table(schema, rows[name], name=name)))
    result = ScoredPart(part=part, tables=tables, rows={name: len(made) for name, made in rows.items()})
    store.put(_part_key(run, part), result.to_json().encode())
    _log.info("batch_scored", run=run, part=part, **result.rows)
    return result


def _part_key(run: str, part: str) -> str:
    return keys.part_object(STEP, run, part, "part.json")


def _finished(store: ObjectStore, run: str, part: str) -> ScoredPart | None:
    try:
        return ScoredPart.from_json(store.get(_part_key(run, part)))
    except RejectedInput:
        return None


def _arriving(
    store: ObjectStore, series: Sequence[SeriesToScore], transfers: ThreadPoolExecutor
) -> Iterator[tuple[SeriesToScore, Future[list[bytes]]]]:
    """Every series in order, the packs of the next ones already on their way."""
    ahead: deque[tuple[SeriesToScore, Future[list[bytes]]]] = deque()
    for one in series:
        ahead.append((one, transfers.submit(_packs, store, one)))
        if len(ahead) > _AHEAD:
            yield ahead.popleft()
    yield from ahead


def _packs(store: ObjectStore, series: SeriesToScore) -> list[bytes]:
    """The packs' bytes, each with the hash that the catalogue knows."""
    return [_checked(store.get(pack.object_key), pack) for pack in series.packs]


def _checked(data: bytes, pack: PackToScore) -> bytes:
    if hashlib.sha256(data).hexdigest() != pack.sha256:
        raise RejectedInput(Code.CHECKSUM_MISMATCH, f"{pack.object_key}: not the pack that was catalogued")
    return data


def _outcome(
    store: ObjectStore, series: SeriesToScore, packs: Future[list[bytes]], scorer: Scorer, model: ModelPin
) -> dict[str, list[Row]]:
    """Rows by table of one series; a reject where it cannot be scored, whatever the reason."""
    try:
        return _scored(series, packs.result(), scorer)
    except (TransientFailure, ConfigurationError):
        raise
    except RejectedInput as error:
        return {"rejects": [_rejected(store, series, model, error.code, error.message)]}
    except Exception as error:  # noqa: BLE001 - a decoder's bug on one series must not take the batch along
        _log.warning("series_failed", series_uid=series.series_uid, error=type(error).__name__)
        detail = f"unexpected {type(error).__name__}"
        return {"rejects": [_rejected(store, series, model, Code.INTERNAL, detail)]}


def _scored(series: SeriesToScore, packs: Sequence[bytes], scorer: Scorer) -> dict[str, list[Row]]:
    slices: list[Row] = []
    verdict: Row | None = None
    for pack, data in zip(series.packs, packs, strict=True):
        answers: list[SliceScore] = []
        for index, score in enumerate(scorer.stream(_Pictures(read_pack(data)))):
            slices.append(_slice_row(pack.pack_id, index, score))
            # The picture of the lesion is the bulk of an answer, and its area is all that is kept of it.
            answers.append(replace(score, lesion_plane=_NO_PLANE))
        if pack.acquired and verdict is None:
            verdict = _series_row(series, pack, answers, scorer)
    if verdict is None:
        raise RejectedInput(Code.MANIFEST_INVALID, "no pack of the acquired plane")
    return {"series": [verdict], "slices": slices}


def _slice_row(pack_id: int, index: int, score: SliceScore) -> Row:
    pixels_a_cell = (score.frame.side / score.lesion_plane.shape[0]) ** 2
    return {
        "pack_id": pack_id,
        "slice_index": index,
        "tumor_logit": score.tumor_logit,
        "tumor_probability": score.tumor_probability,
        "brain_probability": score.brain_probability,
        "lesion_area_px": float(score.lesion_plane.sum(dtype=np.float64)) * pixels_a_cell,
    }


def _series_row(series: SeriesToScore, pack: PackToScore, answers: Sequence[SliceScore], scorer: Scorer) -> Row:
    accepted = [not score.declined for score in answers]
    verdict = score_series(answers, scorer.model)
    answer: Row = {}
    if not verdict.declined:
        answer = {
            "tumor_logit": series_logit([score.tumor_logit for score in answers], accepted),
            "tumor_probability": verdict.tumor_probability,
            "peak_pack_id": pack.pack_id,
            "peak_slice_index": verdict.peak,
        }
    return {
        "series_id": series.series_id,
        "input_sha256": series.input_sha256,
        "slice_count": len(answers),
        "accepted_count": sum(accepted),
        "declined": verdict.declined,
        **answer,
    }


def _rejected(store: ObjectStore, series: SeriesToScore, model: ModelPin, code: Code, detail: str) -> Row:
    """The reject row, and a note under quarantine/; the series stays in the catalogue, without a prediction."""
    row = reject_row(
        Reject(
            archive=series.archive,
            collection=series.collection,
            series_uid=series.series_uid,
            code=code,
            step=STEP,
            detail=detail,
            object_key=series.packs[0].object_key if series.packs else None,
            fatal=False,
        )
    )
    note = json.dumps({**row, "model": model.version}, sort_keys=True, indent=1).encode()
    key = keys.quarantine_note(series.archive, series.collection, series.series_uid, code, series.input_sha256)
    store.put(key, note)
    _log.warning("series_not_scored", series_uid=series.series_uid, code=str(code))
    return row


@dataclass(frozen=True, slots=True)
class _Pictures(Sequence[Picture]):
    """JPEGs that are decoded when they are looked at, so that a pack's pixels are never in memory all at once."""

    jpegs: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.jpegs)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        if isinstance(index, slice):
            return [jpeg.decode(data) for data in self.jpegs[index]]
        return jpeg.decode(self.jpegs[index])
