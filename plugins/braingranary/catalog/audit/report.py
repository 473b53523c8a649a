"""What an audit finds and does: plain values with a JSON form, kept as `runs/audit/<run>/report.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

STEP: Final = "audit"
FINDINGS_TOLD_MAX: Final = 10_000
"""Findings that a report lists one by one; all of them are counted."""


class FindingCode(StrEnum):
    """Every kind of disagreement, by its stable code."""

    PACK_MISSING = "pack_missing"
    PACK_SIZE_DIFFERS = "pack_size_differs"
    PACK_HASH_DIFFERS = "pack_hash_differs"
    SIDECAR_MISSING = "sidecar_missing"
    RAW_MISSING = "raw_missing"
    RAW_HASH_DIFFERS = "raw_hash_differs"
    RECEIPT_MISSING = "receipt_missing"
    RECEIPT_WITHOUT_RAW = "receipt_without_raw"
    RECEIPT_DIFFERS = "receipt_differs"
    RUN_MISSING = "run_missing"
    WEIGHTS_MISSING = "weights_missing"
    ORPHAN = "orphan"


MENDED_BY_NORMALIZING: Final = frozenset(
    {
        FindingCode.PACK_MISSING,
        FindingCode.PACK_SIZE_DIFFERS,
        FindingCode.PACK_HASH_DIFFERS,
        FindingCode.SIDECAR_MISSING,
    }
)
"""Objects that are made of raw ones: normalizing the series again makes the same bytes."""


_HARMLESS: Final = FindingCode.ORPHAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement. The last three are known where the object belongs to a series of the catalogue."""

    code: FindingCode
    key: str
    series_uid: str | None = None
    raw_key: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What one audit looked at, found and did. Times are UTC."""

    run: str
    at: datetime
    objects: int
    sampled: int
    """Objects that were read and hashed."""
    sampled_bytes: int
    counts: dict[str, int]
    """Number of findings by code."""
    findings: tuple[Finding, ...]
    """The first of them, at most FINDINGS_TOLD_MAX."""
    marked: int = 0
    """Series that were marked to be normalized again."""
    removed: int = 0
    """Orphans that were removed."""

    def left(self, *, repaired: bool) -> dict[str, int]:
        """Findings by code that somebody has to see to; orphans do no harm, and a repair marks what it lists."""
        all_listed = len(self.findings) == sum(self.counts.values())  # the next audit finds what was not listed
        mended = MENDED_BY_NORMALIZING if repaired and all_listed else frozenset()
        return {code: count for code, count in self.counts.items() if FindingCode(code) not in {*mended, _HARMLESS}}

    def to_json(self) -> bytes:
        """Canonical JSON."""
        return _REPORT.dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes) -> AuditReport:
        """The report in `text`; raises RejectedInput(MANIFEST_INVALID)."""
        try:
            return _REPORT.validate_json(text)
        except ValidationError as error:
            raise RejectedInput(Code.MANIFEST_INVALID, "not the report of an audit") from error


_REPORT: Final = TypeAdapter(AuditReport)


def count_by_code(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings by code, in order of the codes."""
    return dict(sorted(Counter(str(finding.code) for finding in findings).items()))


def report_key(run: str) -> str:
    """Object key of the report of `run`."""
    return keys.run_object(STEP, run, "report.json")


def write_report(store: ObjectStore, report: AuditReport) -> str:
    """Write the report, in place of one of an earlier attempt of the same run; gives its key."""
    key = report_key(report.run)
    store.put(key, report.to_json())
    return key
