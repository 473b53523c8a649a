"""Steps of the DAG `catalog_audit`: compare catalogue and object store, and mend what can be mended."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from airflow.sdk.exceptions import AirflowFailException

from braingranary.catalog.audit.compare import compare, remove_orphans
from braingranary.catalog.audit.report import (
    FINDINGS_TOLD_MAX,
    MENDED_BY_NORMALIZING,
    AuditReport,
    Finding,
    FindingCode,
    count_by_code,
    report_key,
    write_report,
)
from braingranary.catalog.load.normalize_run import pending_runs
from braingranary.errors import Code, RejectedInput
from braingranary.normalization.again import mark
from braingranary.orchestration.connections import store_settings
from braingranary.orchestration.steps.connection import catalog
from braingranary.orchestration.steps.context import current_run, skip
from braingranary.storage.store import ObjectStore

FINDINGS_LOGGED_MAX: Final = 100

_log = structlog.get_logger(__name__)


def compare_both() -> dict[str, int]:
    """Compare, and write the report; returns the number of findings by code."""
    here, store = current_run(), _store()
    with catalog("granary-audit") as connection:
        audited = compare(
            connection, store, share=float(here.params["share"]), seed=here.run, grace=_grace(here.params["grace_days"])
        )
    report = AuditReport(
        run=here.run,
        at=datetime.now(UTC),
        objects=audited.objects,
        sampled=audited.sampled,
        sampled_bytes=audited.sampled_bytes,
        counts=count_by_code(audited.findings),
        findings=audited.findings[:FINDINGS_TOLD_MAX],
    )
    for finding in report.findings[:FINDINGS_LOGGED_MAX]:
        _log.warning("audit_finding", code=str(finding.code), key=finding.key, series=finding.series_uid)
    key = write_report(store, report)
    _log.info("audit_reported", key=key, findings=len(audited.findings), **report.counts)
    return {"objects": report.objects, "sampled": report.sampled, **report.counts}


def repair() -> dict[str, int]:
    """Mark series to be normalized again and remove orphans, as the run's Params say; skips where nothing is to do."""
    here, store = current_run(), _store()
    report = AuditReport.from_json(store.get(report_key(here.run)))
    marked = _mark(store, report.findings) if here.params["repair"] else 0
    removed = 0
    if here.params["remove_orphans"]:
        with catalog("granary-audit") as connection:
            waiting = pending_runs(connection, store)
        if waiting:
            raise RejectedInput(
                Code.REQUEST_INVALID, f"{len(waiting)} published runs wait to be loaded: no orphan is removed before"
            )
        removed = remove_orphans(store, report.findings, _grace(here.params["grace_days"]))
    write_report(store, replace(report, marked=marked, removed=removed))
    _log.info("audit_repaired", marked=marked, removed=removed)
    if not marked:
        raise skip(f"no series was marked; {removed} orphans were removed")
    return {"marked": marked, "removed": removed}


def fail_on_findings() -> None:
    """Fail the run where something is missing or damaged that this run has not marked to be mended."""
    here = current_run()
    report = AuditReport.from_json(_store().get(report_key(here.run)))
    if left := report.left(repaired=bool(here.params["repair"])):
        told = ", ".join(f"{count} {code}" for code, count in left.items())
        raise AirflowFailException(f"the catalogue and the object store disagree: {told}; see {report_key(here.run)}")


def _mark(store: ObjectStore, findings: tuple[Finding, ...]) -> int:
    """Mark every series whose packs or sidecar are gone or damaged and whose raw object is there."""
    by_profile: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        if finding.code in MENDED_BY_NORMALIZING and finding.profile and finding.raw_key:
            by_profile[finding.profile].add(finding.raw_key)
    lost = {finding.key for finding in findings if finding.code is FindingCode.RAW_MISSING}
    return sum(mark(store, profile, sorted(raw_keys - lost)) for profile, raw_keys in sorted(by_profile.items()))


def _grace(days: int) -> timedelta:
    return timedelta(days=days)


def _store() -> ObjectStore:
    return ObjectStore.from_settings(store_settings())
