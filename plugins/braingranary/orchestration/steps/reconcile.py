"""Steps of every reconcile DAG: compare archive and store, fetch what was revised, fail where a listing is doubtful."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from airflow.sdk.exceptions import AirflowFailException

from braingranary.archives import reconcile
from braingranary.archives.codec import from_json
from braingranary.archives.reconcile import Reconciliation
from braingranary.archives.registry import archive_kind
from braingranary.archives.runs import read_published, write_changed
from braingranary.errors import Code
from braingranary.orchestration.connections import archive_connection, store_settings
from braingranary.orchestration.steps.context import current_run, skip
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

STEP = "reconcile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run found, as it stands at `runs/reconcile/<run>/report.json`."""

    run: str
    collections: tuple[Reconciliation, ...]


def compare(kind: str) -> dict[str, int]:
    """Compare the collections of the form, or those that the Connection lists; returns counts over all of them."""
    here, store, archives = current_run(), _store(), archive_kind(kind)
    connection = archive_connection(archives.connection)
    chosen = here.params.get("collection")
    collections = (str(chosen),) if chosen else connection.collections
    if not collections:
        raise skip(f"connection {connection.name} lists no collections (extra.collections)")
    found: list[Reconciliation] = []
    with archives.open(connection) as archive:
        for name in collections:
            query = archives.query({"collection": name}, None, connection)
            if query is None:
                continue
            found.append(
                reconcile.reconcile(
                    store,
                    archive,
                    query,
                    name,
                    modalities=here.params.get("modality") or (),
                    accept_withdrawals=bool(here.params.get("accept_withdrawals")),
                )
            )
    write_changed(store, _report_key(here.run), Report(run=here.run, collections=tuple(found)))
    counts: Counter[str] = Counter()
    for one in found:
        counts.update(one.counts)
    return dict(counts)


def fetch_revised(kind: str) -> dict[str, int]:
    """Fetch again what the archive lists with other images; skips, so that nobody is woken, where that is nothing."""
    here, store, archives = current_run(), _store(), archive_kind(kind)
    connection = archive_connection(archives.connection)
    revised = [record for one in _report(store, here.run).collections for record in one.revised]
    with archives.open(connection) as archive:
        published = reconcile.fetch_revised(store, here.run, archive, revised, connection.batch_series)
    if published is None:
        raise skip(f"nothing to fetch again: the conflicts of {len(revised)} revised series are told already")
    return read_published(store, published).counts


def fail_on_refused() -> None:
    """Fail the run where a listing lacked too much to be believed, and name the collections."""
    report = _report(_store(), current_run().run)
    refused = [one for one in report.collections if one.refused is not None]
    if refused:
        told = ", ".join(f"{one.collection} ({one.listed} listed, {one.known} known)" for one in refused)
        raise AirflowFailException(
            f"[{Code.LISTING_INCOMPLETE}] look at the archive, then run with accept_withdrawals: {told}"
        )


def _report(store: ObjectStore, run: str) -> Report:
    return from_json(Report, store.get(_report_key(run)))


def _report_key(run: str) -> str:
    return keys.run_object(STEP, run, "report.json")


def _store() -> ObjectStore:
    return ObjectStore.from_settings(store_settings())
