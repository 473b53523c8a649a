"""One batch of staged series, normalized and written: the unit of work of a Spark task.

Goes in: raw keys. Comes out: slice packs, sidecars and quarantine notes in the store, one Parquet file a table, and a
`PartResult`. A series that cannot be used gives a reject row and a quarantine note, never an error: only a store that
fails (TransientFailure) or wrong settings end a batch, and then it is run again from the start and ends in the same
state. A batch that is done already is not done again. Object names and bytes depend on the input alone.

While one series is computed the next raw objects arrive and the last packs leave, a few of each at most, so that
neither the processor nor the network waits for the other and memory does not grow with the batch.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Final

import structlog

from braingranary.dicom.bundle import read_members
from braingranary.dicom.limits import DEFAULT_ZIP_LIMITS
from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure
from braingranary.normalization.labels.mask import ImagesMissing, mask_rows
from braingranary.normalization.parts import PartResult, part_key, part_name, table_key
from braingranary.normalization.profile import Profile
from braingranary.normalization.raw import RawKey, parse_raw_key, raw_file, read_receipt
from braingranary.normalization.readers import read_staged
from braingranary.normalization.rows import TABLES
from braingranary.normalization.series import STEP, NormalizedSeries, normalize_series
from braingranary.normalization.tables import RowSet
from braingranary.records import Receipt, Reject
from braingranary.storage import keys
from braingranary.storage.row_files import reject_row
from braingranary.storage.store import ObjectStore

SEGMENTATION_MODALITY: Final = "SEG"
_TRANSFERS: Final = 4  # threads that read raw objects and write packs: they wait on the network, not on the processor
_FILES_AHEAD: Final = 2  # arriving or waiting; each is in memory up to raw.SPOOL_BYTES, on disk beyond
_SERIES_BEHIND: Final = 2  # computed, still being written
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
    awaited: dict[str, str] = {}
    with ThreadPoolExecutor(_TRANSFERS, thread_name_prefix="transfer") as transfers:
        batch = _Batch(store, profile, transfers, workers)
        for outcome in batch.outcomes(raws):
            rows.add_all(outcome.rows)
            if outcome.awaits is not None:
                awaited[outcome.raw.key] = outcome.awaits
    tables = {}
    for table in TABLES:
        tables[table] = table_key(run, part, table)
        store.put(tables[table], rows.parquet(table))
    result = PartResult(
        part=part, raw_keys=tuple(raw.key for raw in raws), tables=tables, rows=rows.counts(), awaited=awaited
    )
    store.put(part_key(run, part), result.to_json().encode())
    _log.info("batch_normalized", run=run, part=part, keys=len(result.raw_keys), **result.rows)
    return result


def _finished(store: ObjectStore, run: str, part: str) -> PartResult | None:
    try:
        return PartResult.from_json(store.get(part_key(run, part)))
    except RejectedInput:
        return None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Outcome:
    """What became of one series."""

    raw: RawKey
    names: tuple[str, str]
    """Archive and collection."""
    rows: RowSet
    written: Future[bool] | None = None
    """Done when all its objects stand; None where there are none."""
    awaits: str | None = None


class _Batch:
    """The series of one batch on their way through: raw objects ahead, one being computed, packs behind."""

    def __init__(self, store: ObjectStore, profile: Profile, transfers: ThreadPoolExecutor, workers: int) -> None:
        self.store, self.profile, self.transfers, self.workers = store, profile, transfers, workers

    def outcomes(self, raws: Sequence[RawKey]) -> Iterator[_Outcome]:
        """What became of every series, in their order, its objects written."""
        behind: deque[_Outcome] = deque()
        for raw, arrived in self._arriving(raws):
            behind.append(self._normalized(raw, arrived))
            while len(behind) > _SERIES_BEHIND:
                yield self._settled(behind.popleft())
        while behind:
            yield self._settled(behind.popleft())

    def _arriving(self, raws: Sequence[RawKey]) -> Iterator[tuple[RawKey, Future[tuple[Receipt, BinaryIO]]]]:
        ahead: deque[tuple[RawKey, Future[tuple[Receipt, BinaryIO]]]] = deque()
        for raw in raws:
            ahead.append((raw, self.transfers.submit(self._fetched, raw)))
            if len(ahead) > _FILES_AHEAD:
                yield ahead.popleft()
        yield from ahead

    def _fetched(self, raw: RawKey) -> tuple[Receipt, BinaryIO]:
        receipt = read_receipt(self.store, raw)
        return receipt, raw_file(self.store, receipt)

    def _normalized(self, raw: RawKey, arrived: Future[tuple[Receipt, BinaryIO]]) -> _Outcome:
        """One series computed and its writing begun; a reject where it cannot be used, whatever the reason."""
        names = (raw.archive, raw.collection)
        try:
            receipt, file = arrived.result()
            names = (receipt.record.archive, receipt.record.collection)
            with file:
                if receipt.record.modality == SEGMENTATION_MODALITY:
                    members = read_members(file, DEFAULT_ZIP_LIMITS)
                    return _Outcome(raw=raw, names=names, rows=mask_rows(self.store, members, receipt, self.profile))
                made = normalize_series(read_staged(file, receipt), receipt, self.profile, workers=self.workers)
            return _Outcome(raw=raw, names=names, rows=made.rows, written=self._writing(made))
        except Exception as error:  # noqa: BLE001 - a decoder's bug on one series must not take the batch along
            return self._reject(raw, names, error)

    def _writing(self, made: NormalizedSeries) -> Future[bool]:
        """All packs, and the sidecar when they stand: who sees a sidecar can read every pack it names."""
        puts = [self.transfers.submit(self.store.put, pack.key, pack.data) for pack in made.packs]

        def seal() -> bool:
            # Cannot wait for ever: the threads take up work in order, so the packs were begun before this was.
            for put in puts:
                put.result()
            return self.store.put(made.sidecar_key, made.sidecar.to_json())

        return self.transfers.submit(seal)

    def _settled(self, outcome: _Outcome) -> _Outcome:
        """`outcome` when its objects stand."""
        if outcome.written is None:
            return outcome
        try:
            outcome.written.result()
        except Exception as error:  # noqa: BLE001 - as above
            return self._reject(outcome.raw, outcome.names, error)
        return outcome

    def _reject(self, raw: RawKey, names: tuple[str, str], error: Exception) -> _Outcome:
        """The reject that `error` means for a series; a store that fails and wrong settings are raised again."""
        if isinstance(error, TransientFailure | ConfigurationError):
            raise error
        if isinstance(error, RejectedInput):
            code, detail = error.code, error.message
        else:
            _log.warning("series_failed", raw_key=raw.key, error=type(error).__name__)
            code, detail = Code.INTERNAL, f"unexpected {type(error).__name__}"
        rows = _rejected(self.store, raw, names, self.profile, code=code, detail=detail)
        awaits = error.prefix if isinstance(error, ImagesMissing) else None
        return _Outcome(raw=raw, names=names, rows=rows, awaits=awaits)


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
    store.put(keys.quarantine_note(archive, collection, reject.series_uid, code, raw.sha256), note)
    _log.warning("series_rejected", raw_key=raw.key, code=str(code))
    rows = RowSet()
    rows.add("rejects", [row])
    return rows
