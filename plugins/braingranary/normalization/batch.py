"""One batch of staged series, normalized and written: the unit of work of a Spark task.

Goes in: raw keys. Comes out: slice packs, sidecars and quarantine notes in the store, one Parquet file a table, and a
`PartResult`. A series that cannot be used gives a reject row and a quarantine note, never an error: only a store that
fails (TransientFailure) or wrong settings end a batch, and then it is run again from the start and ends in the same
state. A batch that is done already is not done again. Object names and bytes depend on the input alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import structlog

from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.normalization.mask import mask_rows
from braingranary.normalization.parts import PartResult, part_key, part_name, table_key
from braingranary.normalization.profile import Profile
from braingranary.normalization.raw import RawKey, parse_raw_key, raw_members, read_receipt
from braingranary.normalization.rows import TABLES
from braingranary.normalization.series import STEP, NormalizedSeries, normalize_series
from braingranary.normalization.tables import RowSet, reject_row
from braingranary.records import Reject
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

SEGMENTATION_MODALITY: Final = "SEG"
_WRITERS: Final = 4  # uploads wait on the network, not on the processor
_log = structlog.get_logger(__name__)


def normalize_batch(
    store: ObjectStore, raw_keys: Sequence[str], profile: Profile, run: str, *, workers: int = 1
) -> PartResult:
    """Normalize the series at `raw_keys` and write all that comes of it; returns what was done.

    `workers` threads share the work on one series. Raises TransientFailure or ConfigurationError, never for a
    series; RejectedInput(KEY_INVALID) before anything is done where a key is no raw key.
    """
    raws = [parse_raw_key(key) for key in sorted(set(raw_keys))]
    part = part_name([raw.key for raw in raws], profile)
    if (done := _finished(store, run, part)) is not None:
        return done
    rows = RowSet()
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="put") as writers:
        for raw in raws:
            rows.add_all(_normalize_one(store, raw, profile, writers, workers))
    tables = {}
    for table in TABLES:
        tables[table] = table_key(run, part, table)
        store.put(tables[table], rows.parquet(table))
    result = PartResult(part=part, raw_keys=tuple(raw.key for raw in raws), tables=tables, rows=rows.counts())
    store.put(part_key(run, part), result.to_json().encode())
    _log.info("batch_normalized", run=run, part=part, keys=len(result.raw_keys), **result.rows)
    return result


def _finished(store: ObjectStore, run: str, part: str) -> PartResult | None:
    try:
        return PartResult.from_json(store.get(part_key(run, part)))
    except RejectedInput:
        return None


def _normalize_one(
    store: ObjectStore, raw: RawKey, profile: Profile, writers: ThreadPoolExecutor, workers: int
) -> RowSet:
    """Rows of one series, its objects written; a reject where it cannot be used, whatever the reason."""
    names = (raw.archive, raw.collection)
    try:
        receipt = read_receipt(store, raw)
        names = (receipt.record.archive, receipt.record.collection)
        if receipt.record.modality == SEGMENTATION_MODALITY:
            return mask_rows(store, receipt, profile)
        made = normalize_series(raw_members(store, receipt), receipt, profile, workers=workers)
        _write(store, made, writers)
    except RejectedInput as error:
        return _rejected(store, raw, names, profile, code=error.code, detail=error.message)
    except (TransientFailure, ConfigurationError):
        raise
    except Exception as error:  # noqa: BLE001 - a decoder's bug on one series must not take the batch along
        _log.warning("series_failed", raw_key=raw.key, error=type(error).__name__)
        return _rejected(store, raw, names, profile, code=Code.INTERNAL, detail=f"unexpected {type(error).__name__}")
    return made.rows


def _write(store: ObjectStore, made: NormalizedSeries, writers: ThreadPoolExecutor) -> None:
    """All packs, and the sidecar when they stand: who sees a sidecar can read every pack it names."""
    puts: list[Future[bool]] = [writers.submit(store.put, pack.key, pack.data) for pack in made.packs]
    for put in puts:
        put.result()
    store.put(made.sidecar_key, made.sidecar.to_json())


def _rejected(
    store: ObjectStore, raw: RawKey, names: tuple[str, str], profile: Profile, *, code: Code, detail: str
) -> RowSet:
    """The reject row, and a note under quarantine/; the bytes stay in raw/, which nobody reads without a reason."""
    archive, collection = names
    reject = Reject(
        archive=archive,
        collection=collection,
        series_uid=raw.series_uid,
        code=code,
        step=STEP,
        detail=detail,
        object_key=raw.key,
    )
    row = reject_row(reject)
    note = json.dumps({**row, "profile": profile.name}, sort_keys=True, indent=1).encode()
    store.put(_note_key(reject, raw.sha256), note)
    _log.warning("series_rejected", raw_key=raw.key, code=str(code))
    rows = RowSet()
    rows.add("rejects", [row])
    return rows


def _note_key(reject: Reject, sha256: str) -> str:
    bytes_key = keys.quarantine(reject.archive, reject.collection, reject.series_uid, reject.code, sha256)
    return f"{bytes_key.removesuffix('.bin')}.json"
