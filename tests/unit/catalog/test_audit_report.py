"""What an audit leaves for a person to see to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from braingranary.catalog.audit.report import AuditReport, Finding, FindingCode, count_by_code

FOUND = (
    Finding(code=FindingCode.ORPHAN, key="a"),
    Finding(code=FindingCode.PACK_MISSING, key="b"),
    Finding(code=FindingCode.PACK_MISSING, key="c"),
    Finding(code=FindingCode.RAW_MISSING, key="d"),
)


@pytest.mark.parametrize(
    ("listed", "repaired", "left"),
    [
        (4, False, {"pack_missing": 2, "raw_missing": 1}),
        (4, True, {"raw_missing": 1}),
        (2, True, {"pack_missing": 2, "raw_missing": 1}),  # a repair marks what a report lists, and no more
    ],
)
def test_left_is_what_no_repair_has_marked(listed: int, repaired: bool, left: dict[str, int]) -> None:
    report = AuditReport(
        run="r",
        at=datetime.now(UTC),
        objects=9,
        sampled=0,
        sampled_bytes=0,
        counts=count_by_code(FOUND),
        findings=FOUND[:listed],
    )
    assert report.left(repaired=repaired) == left
