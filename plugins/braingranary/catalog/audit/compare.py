"""The audit: what the catalogue names against what the object store holds, both ways, and a sample of hashes.

Goes in: a connection that may make temporary tables, and the store. Comes out: findings, each with a stable code;
nothing is changed. What looks missing is looked for once more, so that a load or an ingest in the meantime is no
finding. Fails as the store and PostgreSQL do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import structlog
from psycopg.rows import class_row
from pydantic import TypeAdapter, ValidationError

from braingranary.catalog.audit.report import Finding, FindingCode
from braingranary.catalog.load.transaction import Connection, mapped
from braingranary.catalog.sql import statement
from braingranary.errors import Code, RejectedInput
from braingranary.records import Receipt
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

Row = TypeVar("Row")
GRACE_DEFAULT: Final = timedelta(days=7)
_THREADS: Final = 8  # each waits on the network most of the time
_RECEIPT: Final = TypeAdapter(Receipt)
_MISSING: Final = frozenset({"pack_missing", "sidecar_missing", "raw_missing", "run_missing", "weights_missing"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What one comparison found, and how much it looked at."""

    findings: tuple[Finding, ...]
    objects: int
    sampled: int
    sampled_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    code: str
    key: str
    series_uid: str | None = None
    raw_key: str | None = None
    profile: str | None = None

    def finding(self) -> Finding:
        return Finding(
            code=FindingCode(self.code),
            key=self.key,
            series_uid=self.series_uid,
            raw_key=self.raw_key,
            profile=self.profile,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sampled:
    key: str
    sha256: str
    series_uid: str
    raw_key: str
    profile: str | None

    def finding(self, code: FindingCode) -> Finding:
        return Finding(code=code, key=self.key, series_uid=self.series_uid, raw_key=self.raw_key, profile=self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orphan:
    key: str
    modified: datetime


def compare(
    connection: Connection, store: ObjectStore, *, share: float, seed: str = "", grace: timedelta = GRACE_DEFAULT
) -> Audited:
    """Compare the catalogue with the store.

    Args:
        connection: of a role that reads the catalogue and may make temporary tables; in no transaction.
        store: the object store.
        share: of all packs and raw objects, 0 to 1, the part that is read and hashed.
        seed: chooses which ones; the same seed chooses the same.
        grace: raw objects and receipts younger than this may still wait for each other.

    Returns:
        The findings in order of their keys within each kind, and how much was looked at.

    Raises:
        TransientFailure: the store or the catalogue cannot be reached.

    """
    older_than = datetime.now(UTC) - grace
    with mapped(), connection.transaction():
        objects = _stage_objects(connection, store)
        named = _rows(connection, _Named, "audit/10_named")
        receipts = _rows(connection, _Named, "audit/20_receipts", {"older_than": older_than})
        orphans = _rows(connection, _Orphan, "audit/30_orphans")
        sample = _rows(connection, _Sampled, "audit/40_sample", {"share": share, "seed": seed})
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="audit") as pool:
        confirmed = [
            row.finding() for row, stands in zip(named, pool.map(_checker(store), named), strict=True) if stands
        ]
        hashed = list(pool.map(lambda one: _hash(store, one), sample))
    findings = (
        *confirmed,
        *(row.finding() for row in receipts),
        *(Finding(code=FindingCode.ORPHAN, key=orphan.key) for orphan in orphans),
        *(finding for found, _ in hashed for finding in found),
    )
    sampled_bytes = sum(size for _, size in hashed)
    _log.info("audit_compared", objects=objects, sampled=len(sample), megabytes=round(sampled_bytes / 1e6, 1))
    return Audited(findings=findings, objects=objects, sampled=len(sample), sampled_bytes=sampled_bytes)


def remove_orphans(store: ObjectStore, findings: Iterable[Finding], grace: timedelta) -> int:
    """Remove the orphans among `findings` that are older than `grace`; returns how many were removed.

    The caller sees to it that no published run waits to be loaded: its packs are orphans until then.
    """
    older_than = datetime.now(UTC) - grace
    removed = 0
    for finding in findings:
        if finding.code is not FindingCode.ORPHAN:
            continue
        info = store.head(finding.key)  # as it is now: a run may have written it anew since
        if info is not None and info.modified < older_than:
            store.delete(finding.key)
            _log.info("orphan_removed", key=finding.key, bytes=info.size)
            removed += 1
    return removed


def _stage_objects(connection: Connection, store: ObjectStore) -> int:
    connection.execute(statement("audit/00_stored"))
    count = 0
    with connection.cursor().copy("COPY stored_object FROM STDIN") as copy:
        for item in store.list():
            copy.write_row((item.key, item.size, item.modified))
            count += 1
    connection.execute("ANALYZE stored_object")
    return count


def _rows(connection: Connection, kind: type[Row], name: str, values: Mapping[str, object] | None = None) -> list[Row]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement(name), values).fetchall()


def _checker(store: ObjectStore) -> Callable[[_Named], bool]:
    """Whether a row's finding still holds: an object that has appeared since the listing is no finding."""
    return lambda row: row.code not in _MISSING or not store.exists(row.key)


def _hash(store: ObjectStore, one: _Sampled) -> tuple[list[Finding], int]:
    """What is wrong with one sampled object, and how many bytes were read."""
    digest, size = hashlib.sha256(), 0
    raw = one.key == one.raw_key
    try:
        for chunk in store.stream(one.key):
            digest.update(chunk)
            size += len(chunk)
    except RejectedInput as error:
        if error.code is Code.OBJECT_MISSING:
            return [], 0  # told as missing where a row names it
        raise
    findings = []
    if digest.hexdigest() != one.sha256:
        findings.append(one.finding(FindingCode.RAW_HASH_DIFFERS if raw else FindingCode.PACK_HASH_DIFFERS))
    if raw and not _receipt_agrees(store, one, size):
        findings.append(one.finding(FindingCode.RECEIPT_DIFFERS))
    return findings, size


def _receipt_agrees(store: ObjectStore, one: _Sampled, size: int) -> bool:
    try:
        receipt = _RECEIPT.validate_json(store.get(keys.receipt(one.key)))
    except RejectedInput as error:
        if error.code is Code.OBJECT_MISSING:
            return True  # told as receipt_missing
        raise
    except ValidationError:
        return False
    return (receipt.raw_key, receipt.sha256, receipt.zip_bytes) == (one.key, one.sha256, size)
