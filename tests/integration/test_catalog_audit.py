"""The audit on a real PostgreSQL and a real S3: what is gone, damaged or left over is found by its code, and mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from braingranary.catalog.audit.compare import Audited, compare, remove_orphans
from braingranary.catalog.audit.report import AuditReport, FindingCode, count_by_code
from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.normalization.again import mark
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.plan import pending
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.normalization.volumes import write_volumes
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.unit.normalization import phantom

pytestmark = pytest.mark.stack

Connection = psycopg.Connection[Any]
UIDS = [f"{phantom.ROOT}.{number}" for number in (1, 2)]
NOW = timedelta(0)


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[Connection]:
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def raw_keys(connection: Connection, object_store: ObjectStore) -> list[str]:
    """Two series, staged, normalized and loaded; the first has its voxels as NIfTI, too."""
    found = [
        phantom.stage(
            object_store,
            uid,
            phantom.zipped(phantom.dicom_files(uid, shape=(6, 32, 32), spacing_mm=(24.0, 6.0, 6.0), seed=seed)),
        )
        for seed, uid in enumerate(UIDS)
    ]
    object_store.put(keys.run_object("ingest", "monday", "published.json"), json.dumps({"raw_keys": found}).encode())
    normalize(object_store, "first", found)
    load_run(connection, object_store, "first")
    write_volumes(object_store, found[0], DEFAULT_PROFILE.name)
    return found


def normalize(store: ObjectStore, run: str, raw_keys: list[str]) -> None:
    publish(store, run, DEFAULT_PROFILE, [normalize_batch(store, raw_keys, DEFAULT_PROFILE, run)])


def audit(connection: Connection, store: ObjectStore, *, share: float = 1.0, seed: str = "") -> Audited:
    return compare(connection, store, share=share, seed=seed, grace=NOW)


def pack_of(connection: Connection, uid: str) -> str:
    query = "SELECT object_key FROM pack JOIN series USING (series_id) WHERE series_uid = %s ORDER BY 1 LIMIT 1"
    row = connection.execute(query, [uid]).fetchone()
    assert row is not None
    return str(row[0])


def test_audit_of_what_agrees_finds_nothing_and_hashes_everything(
    connection: Connection, object_store: ObjectStore, raw_keys: list[str]
) -> None:
    audited = audit(connection, object_store)
    packs = connection.execute("SELECT count(*) FROM pack").fetchone()
    assert audited.findings == ()
    assert packs is not None
    assert audited.sampled == packs[0] + len(raw_keys)
    assert audited.objects == len(list(object_store.list()))


def test_audit_finds_each_loss_and_damage_by_its_code(
    connection: Connection, object_store: ObjectStore, raw_keys: list[str]
) -> None:
    first, second = raw_keys
    damaged = pack_of(connection, UIDS[0])
    gone = pack_of(connection, UIDS[1])
    data = object_store.get(damaged)
    object_store.put(damaged, data[:-1] + bytes([data[-1] ^ 1]))
    object_store.delete(gone)
    object_store.delete(keys.sidecar(DEFAULT_PROFILE.name, UIDS[1]))
    object_store.put(first, object_store.get(first)[:-1])
    object_store.delete(keys.receipt(second))
    stray = keys.sidecar(DEFAULT_PROFILE.name, "1.2.3")
    object_store.put(stray, b"{}")
    object_store.put(keys.receipt(keys.raw_object("a", "b", "1.2", "0" * 64)), b"{}")
    object_store.delete(keys.published("normalize", "first"))

    found = {(str(one.code), one.key) for one in audit(connection, object_store).findings}

    assert found == {
        ("pack_hash_differs", damaged),
        ("pack_missing", gone),
        ("sidecar_missing", keys.sidecar(DEFAULT_PROFILE.name, UIDS[1])),
        ("raw_hash_differs", first),
        ("receipt_differs", first),
        ("receipt_missing", second),
        ("receipt_without_raw", keys.receipt(keys.raw_object("a", "b", "1.2", "0" * 64))),
        ("run_missing", keys.published("normalize", "first")),
        ("orphan", stray),
    }
    # Without a sample nothing is read: only what a listing tells is found.
    told = {str(one.code) for one in audit(connection, object_store, share=0).findings}
    assert told == {
        "pack_missing", "sidecar_missing", "receipt_missing", "receipt_without_raw", "run_missing", "orphan",
    }  # fmt: skip


def test_audit_tells_a_pack_of_another_size_and_a_raw_object_that_is_gone(
    connection: Connection, object_store: ObjectStore, raw_keys: list[str]
) -> None:
    pack = pack_of(connection, UIDS[0])
    object_store.put(pack, b"short")
    object_store.delete(raw_keys[1])
    counts = count_by_code(audit(connection, object_store, share=0).findings)
    assert counts == {"pack_size_differs": 1, "raw_missing": 1, "receipt_without_raw": 1}


def test_audit_samples_the_same_objects_for_the_same_seed(
    connection: Connection, object_store: ObjectStore, raw_keys: list[str]
) -> None:
    sizes = {
        seed: {audit(connection, object_store, share=0.5, seed=seed).sampled_bytes for _ in range(2)}
        for seed in "abcdef"
    }
    assert {len(found) for found in sizes.values()} == {1}
    assert len({tuple(found) for found in sizes.values()}) > 1
    assert audit(connection, object_store, share=0).sampled == 0
    assert len(raw_keys) == 2


def test_marked_series_is_normalized_again_to_the_byte(
    connection: Connection, object_store: ObjectStore, raw_keys: list[str]
) -> None:
    normalized = phantom.listing(object_store, "normalized/")
    object_store.delete(pack_of(connection, UIDS[1]))
    assert pending(object_store, DEFAULT_PROFILE) == ()
    assert mark(object_store, DEFAULT_PROFILE.name, [raw_keys[1]]) == 1

    (again,) = pending(object_store, DEFAULT_PROFILE)
    assert again.raw_key == raw_keys[1]
    normalize(object_store, "second", [again.raw_key])

    assert phantom.listing(object_store, "normalized/") == normalized
    report = load_run(connection, object_store, "second")  # when a series was published is all that may change
    assert (report.packs_changed, report.slices_changed) == (0, 0)
    assert audit(connection, object_store).findings == ()


def test_orphans_are_removed_only_when_older_than_the_grace_time(
    connection: Connection, object_store: ObjectStore, raw_keys: list[str]
) -> None:
    stray = keys.sidecar(DEFAULT_PROFILE.name, "1.2.3")
    object_store.put(stray, b"{}")
    findings = audit(connection, object_store, share=0).findings
    assert [one.code for one in findings] == [FindingCode.ORPHAN]
    assert remove_orphans(object_store, findings, timedelta(days=1)) == 0
    assert remove_orphans(object_store, findings, timedelta(seconds=-5)) == 1
    assert audit(connection, object_store).findings == ()
    assert object_store.exists(raw_keys[0])


def test_report_survives_its_json(connection: Connection, object_store: ObjectStore, raw_keys: list[str]) -> None:
    object_store.delete(raw_keys[0])
    audited = audit(connection, object_store)
    info = object_store.head(raw_keys[1])
    assert info is not None
    report = AuditReport(
        run="run", at=info.modified, objects=audited.objects, sampled=audited.sampled,
        sampled_bytes=audited.sampled_bytes, counts=count_by_code(audited.findings), findings=audited.findings,
    )  # fmt: skip
    assert AuditReport.from_json(report.to_json()) == report
