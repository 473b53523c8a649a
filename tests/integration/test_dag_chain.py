"""The DAGs, run by Airflow itself against a real archive, object store, Spark and PostgreSQL."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from braingranary.archives.registry import ARCHIVE_KINDS
from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack.sample_archive.server import SampleArchive
from braingranary.imaging.volume import Volume
from braingranary.nifti.uid import derived_uid
from braingranary.nifti.writer import to_nifti
from braingranary.orchestration.runs import run_key
from braingranary.settings import StoreSettings
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.fixtures import example_archive, score_set
from tests.fixtures.dicom_factory import CORONAL, Scan, classic_series
from tests.fixtures.example_archive.scans import SCANS
from tests.fixtures.small_server import small_server

pytestmark = [pytest.mark.stack, pytest.mark.spark]

ROOT = Path(__file__).resolve().parents[2]
MONTHS = itertools.count(1)
"""Runs live on in Airflow's database with their Params, so every test has a month of its own."""
COLLECTION = "Test-Brains"
HOSTILE = "hostile"
"""Folder, and so collection, of a series whose UID is none: it is rejected before it is asked for."""
SERIES = {
    "axial": Scan(slices=6, series_uid="1.2.3.4.10", header={"PatientID": "P1"}),
    "coronal": Scan(slices=7, series_uid="1.2.3.4.11", orientation=CORONAL, header={"PatientID": "P2"}),
}


@dataclass(frozen=True, kw_only=True)
class DagChain:
    """Everything the DAGs work on."""

    store: ObjectStore
    dsn: str
    dags: dict[str, DAG]
    archive: SampleArchive
    month: int

    def run(self, dag_id: str, day: int = 1, **params: Any) -> DagRun:
        """Run one DAG to its end; the same day again clears that run and runs it again."""
        years, months = divmod(self.month - 1, 12)
        date = datetime(2025 + years, months + 1, day, 5, tzinfo=UTC)
        run: DagRun = self.dags[dag_id].test(run_after=date, logical_date=date, run_conf=params)
        return run

    def objects(self) -> dict[str, str]:
        """Every object with its content's tag."""
        return {info.key: info.etag for info in self.store.list()}

    def rows(self) -> dict[str, list[Any]]:
        """Every table of the catalogue, whole and in order."""
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        with psycopg.connect(self.dsn) as connection:
            tables = [name for (name,) in connection.execute(query)]
            return {
                table: connection.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1').fetchall()  # noqa: S608
                for table in tables
            }


@pytest.fixture
def dags(airflow_database: None) -> dict[str, DAG]:
    """The DAGs parsed anew, as for every task: a run in this process leaves its Params in the parsed DAG."""
    bag = DagBag(dag_folder=ROOT / "dags", bundle_name="dags-folder")
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture
def chain(
    tmp_path: Path,
    dags: dict[str, DAG],
    s3_settings: StoreSettings,
    postgres_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DagChain]:
    for name, scan in (SERIES | {HOSTILE: Scan(slices=1, series_uid="1.2.3.4.x")}).items():
        folder = tmp_path / "dicom" / name
        folder.mkdir(parents=True)
        for file, data in classic_series(scan):
            (folder / file).write_bytes(data)
    migrate(postgres_dsn)
    assert s3_settings.secret_key is not None
    with SampleArchive(tmp_path / "dicom") as archive:
        connections = {
            "S3": {
                "conn_type": "aws",
                "login": s3_settings.access_key,
                "password": s3_settings.secret_key.get_secret_value(),
                "extra": {"endpoint_url": s3_settings.endpoint_url, "bucket": s3_settings.bucket},
            },
            "TCIA": {"conn_type": "http", "host": archive.url, "extra": {"archive": "sample", "batch_size": 1}},
            "SPARK": {"conn_type": "spark", "host": "local[1]"},
        }
        for name, fields in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_GRANARY_{name}", json.dumps(fields))
        monkeypatch.setenv("AIRFLOW_CONN_GRANARY_POSTGRES", postgres_dsn.replace("postgresql://", "postgres://", 1))
        yield DagChain(
            store=ObjectStore.from_settings(s3_settings),
            dsn=postgres_dsn,
            dags=dags,
            archive=archive,
            month=next(MONTHS),
        )


def states(run: DagRun) -> dict[str, list[str]]:
    """States of a run's task instances by task."""
    found: dict[str, list[str]] = {}
    for instance in run.get_task_instances():
        found.setdefault(instance.task_id, []).append(str(instance.state))
    return found


def events(run: DagRun) -> list[str]:
    """Names of the assets that the run announced."""
    with create_session() as session:
        query = select(AssetEvent).where(AssetEvent.source_dag_id == run.dag_id, AssetEvent.source_run_id == run.run_id)
        return sorted(event.name for event in session.scalars(query))


def test_chain_run_three_times_ends_in_the_state_of_one_run(chain: DagChain) -> None:
    uids = "\n".join(scan.series_uid for scan in SERIES.values())
    first = [chain.run("tcia_ingest", series=uids), chain.run("normalize"), chain.run("catalog_load")]
    assert [run.state for run in first] == ["success"] * 3
    assert states(first[0]) == {
        "write_manifest": ["success"],
        "stage": ["success"] * 2,
        "publish": ["success"],
        "announce_rejects": ["skipped"],
        "fail_incomplete": ["skipped"],
    }
    assert states(first[1]) == {"plan": ["success"], "normalize_series": ["success"], "publish": ["success"]}
    assert states(first[2]) == {"load_runs": ["success"]}
    assert [events(run) for run in first] == [["granary_raw"], ["granary_normalized"], ["granary_catalog"]]
    assert chain.store.exists(f"runs/ingest/{run_key('tcia_ingest', first[0].run_id)}/published.json")

    objects, rows = chain.objects(), chain.rows()
    with psycopg.connect(chain.dsn) as connection:
        found = connection.execute("SELECT series_uid, plane::text, slice_count FROM series ORDER BY 1").fetchall()
    assert found == [("1.2.3.4.10", "axial", 6), ("1.2.3.4.11", "coronal", 7)]

    for _ in range(2):
        again = [chain.run("tcia_ingest", series=uids), chain.run("normalize"), chain.run("catalog_load")]
        assert [run.state for run in again] == ["success"] * 3
        assert states(again[0])["publish"] == ["skipped"]  # nothing is left to do, so nobody is woken
        assert chain.objects() == objects
        assert chain.rows() == rows


def test_ingest_announces_what_is_there_until_somebody_has_taken_it(chain: DagChain) -> None:
    uid = SERIES["axial"].series_uid
    assert events(chain.run("tcia_ingest", series=uid)) == ["granary_raw"]
    again = chain.run("tcia_ingest", 2, series=uid)  # stages nothing, but the first event was lost
    assert states(again) == {
        "write_manifest": ["success"],
        "stage": ["success"],
        "publish": ["success"],
        "announce_rejects": ["skipped"],
        "fail_incomplete": ["skipped"],
    }
    assert events(again) == ["granary_raw"]


def test_archive_of_another_kind_goes_from_its_files_to_the_catalogue(
    chain: DagChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example of docs/how-to/add-an-archive.md: a module, a Connection and a DAG are all that an archive takes."""
    folder = tmp_path / "scans" / "Lab"
    folder.mkdir(parents=True)
    voxels = (np.indices((24, 20, 16)).sum(axis=0) * 9).astype(np.int16)
    (folder / "P1.nii.gz").write_bytes(to_nifti(Volume(voxels=voxels, affine=np.diag([1.0, 1.0, 1.0, 1.0]))))
    (folder / "P2.nii.gz").write_bytes(b"no gzip")
    monkeypatch.setitem(ARCHIVE_KINDS, SCANS.kind, SCANS)
    monkeypatch.setenv("AIRFLOW_CONN_GRANARY_SCANS", json.dumps({"conn_type": "fs", "host": str(tmp_path / "scans")}))
    bag = DagBag(dag_folder=Path(example_archive.__file__).with_name("dags"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    chain.dags.update(bag.dags)

    ingest = chain.run("scans_ingest", collection="Lab")
    assert (ingest.state, events(ingest)) == ("success", ["granary_raw"])
    chain.run("normalize")
    chain.run("catalog_load")
    [raw_key] = [key for key in chain.objects() if key.startswith("raw/scans/Lab/") and key.endswith(".nii.gz")]
    receipt = json.loads(chain.store.get(keys.receipt(raw_key)))
    assert (receipt["media_type"], receipt["image_count"]) == ("application/gzip", 1)
    with psycopg.connect(chain.dsn) as connection:
        found = connection.execute("SELECT series_uid, plane::text FROM series").fetchall()
        rejects = connection.execute("SELECT series_uid, code, step FROM reject").fetchall()
    assert found == [(derived_uid("scans", "Lab", "P1", "P1.nii.gz"), "axial")]
    assert rejects == [(derived_uid("scans", "Lab", "P2", "P2.nii.gz"), "image_invalid", "stage")]

    objects, rows = chain.objects(), chain.rows()
    chain.run("scans_ingest", collection="Lab")
    chain.run("normalize")
    chain.run("catalog_load")
    assert (chain.objects(), chain.rows()) == (objects, rows)


def test_consumers_with_nothing_pending_skip(chain: DagChain) -> None:
    for dag_id in ("normalize", "catalog_load", "tumor_scoring"):
        run = chain.run(dag_id)
        assert run.state == "success"
        assert {state for found in states(run).values() for state in found} == {"skipped"}
        assert events(run) == []


def test_normalize_takes_what_a_lost_event_left_behind(chain: DagChain) -> None:
    chain.run("tcia_ingest", series=SERIES["axial"].series_uid)  # nobody listens to its event here
    chain.run("tcia_ingest", 2, series=SERIES["coronal"].series_uid)
    run = chain.run("normalize", 2)
    published = json.loads(chain.store.get(f"runs/normalize/{run_key('normalize', run.run_id)}/published.json"))
    taken = [key for part in published["parts"] for key in part["raw_keys"]]
    assert sorted(key.split("/")[-2] for key in taken) == [scan.series_uid for scan in SERIES.values()]


def test_scoring_takes_what_is_new_once_whoever_runs_it_again(chain: DagChain) -> None:
    with psycopg.connect(chain.dsn, autocommit=True) as connection:
        score_set.catalogue(connection, chain.store, range(2))
        score_set.registered(connection, chain.store)
    first = chain.run("tumor_scoring")
    assert states(first) == {"plan": ["success"], "score_series": ["success"], "load": ["success"]}
    assert events(first) == ["granary_scores"]
    objects, rows = chain.objects(), chain.rows()
    assert (len(rows["series_prediction"]), len(rows["slice_prediction"])) == (2, 16)

    later = chain.run("tumor_scoring", 2)
    assert states(later) == {"plan": ["skipped"], "score_series": ["skipped"], "load": ["skipped"]}
    assert chain.objects() == objects
    assert chain.rows() == rows

    # As if it had been killed before its load, and the next plan had nothing to do.
    with psycopg.connect(chain.dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE score_run, slice_prediction, series_prediction")
        connection.execute("UPDATE series SET species = 'dog'")
    picked = chain.run("tumor_scoring", 4)
    assert states(picked) == {"plan": ["skipped"], "score_series": ["skipped"], "load": ["success"]}
    assert chain.rows()["slice_prediction"] == rows["slice_prediction"]


def test_training_with_a_wrong_form_fails_before_hours_are_spent(chain: DagChain) -> None:
    run = chain.run("detector_training", version="v-1")
    assert run.state == "failed"
    assert states(run)["prepare"] == ["failed"]
    [instance] = [found for found in run.get_task_instances() if found.task_id == "prepare"]
    assert instance.try_number == 1


def test_ingest_by_hand_without_a_choice_fails_at_once(chain: DagChain) -> None:
    run = chain.run("tcia_ingest")
    assert run.state == "failed"
    [instance] = [found for found in run.get_task_instances() if found.task_id == "write_manifest"]
    assert instance.try_number == 1
    assert chain.archive.stats.requests.total() == 0


def test_ingest_series_that_the_archive_does_not_have_skips(chain: DagChain) -> None:
    run = chain.run("tcia_ingest", series="1.2.3.99")
    assert run.state == "success"
    assert states(run)["publish"] == ["skipped"]


def test_ingest_of_rejects_alone_wakes_the_load_which_keeps_them(chain: DagChain) -> None:
    run = chain.run("tcia_ingest", collection=HOSTILE)
    assert states(run)["publish"] == ["skipped"]
    assert states(run)["announce_rejects"] == ["success"]
    assert events(run) == ["granary_rejected"]
    chain.run("catalog_load")
    with psycopg.connect(chain.dsn) as connection:
        assert connection.execute("SELECT code, step FROM reject").fetchall() == [("uid_invalid", "manifest")]


def test_audit_marks_what_is_gone_and_normalize_makes_it_again(chain: DagChain) -> None:
    chain.run("tcia_ingest", series=SERIES["axial"].series_uid)
    chain.run("normalize")
    chain.run("catalog_load")
    normalized = {key: tag for key, tag in chain.objects().items() if key.startswith("normalized/")}
    clean = chain.run("catalog_audit", share=1.0)
    assert states(clean) == {"compare": ["success"], "repair": ["skipped"], "fail_on_findings": ["success"]}

    lost = next(key for key in normalized if key.endswith(".zip"))
    chain.store.delete(lost)
    told = chain.run("catalog_audit", 2)
    assert (told.state, states(told)["fail_on_findings"], events(told)) == ("failed", ["failed"], [])
    report = json.loads(chain.store.get(f"runs/audit/{run_key('catalog_audit', told.run_id)}/report.json"))
    assert report["counts"] == {"pack_missing": 1}
    assert [finding["key"] for finding in report["findings"]] == [lost]

    mended = chain.run("catalog_audit", 3, repair=True)
    assert (mended.state, events(mended)) == ("success", ["granary_raw"])
    chain.run("normalize", 3)
    assert {key: tag for key, tag in chain.objects().items() if key.startswith("normalized/")} == normalized
    assert states(chain.run("catalog_audit", 4, share=1.0))["fail_on_findings"] == ["success"]


def test_every_task_that_fails_sends_an_alert_with_its_code(chain: DagChain, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_server() as hook:
        hook.answer("POST /hook", {})
        monkeypatch.setenv("AIRFLOW_CONN_GRANARY_ALERTS", json.dumps({"conn_type": "http", "host": f"{hook.url}/hook"}))
        chain.run("tcia_ingest")  # by hand and without a choice
        first, second = (one.json["text"] for one in hook.asked)
    assert first.startswith("tcia_ingest: task write_manifest failed\n")
    assert re.search(r"\[(request|configuration|manifest)_invalid\]", first), first
    assert second.startswith("tcia_ingest: task fail_incomplete failed\n")


def test_watch_fails_and_alerts_where_the_catalogue_is_stale_or_too_much_is_rejected(
    chain: DagChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert states(chain.run("pipeline_watch")) == {"check_bounds": ["skipped"]}
    chain.run("tcia_ingest", collection=HOSTILE)
    chain.run("catalog_load")
    with small_server() as hook:
        hook.answer("POST /hook", {})
        monkeypatch.setenv("AIRFLOW_CONN_GRANARY_ALERTS", json.dumps({"conn_type": "http", "host": f"{hook.url}/hook"}))
        rejected = chain.run("pipeline_watch", 2)
        assert chain.run("pipeline_watch", 3, reject_share=1).state == "success"
        with psycopg.connect(chain.dsn) as connection:
            connection.execute("UPDATE ingest_run SET published_at = published_at - interval '60 days'")
        stale = chain.run("pipeline_watch", 4)
        assert [rejected.state, stale.state] == ["failed", "failed"]
        first, second = (one.json["text"] for one in hook.asked)
    assert "reject_share_beyond_bound: 100%" in first
    assert "freshness_beyond_bound: the newest ingest is of 1440 hours ago" in second
    assert "reject_share" not in second


def test_reconcile_follows_a_series_published_late_one_revised_and_a_collection_withdrawn(
    chain: DagChain, tmp_path: Path
) -> None:
    uids = {name: scan.series_uid for name, scan in SERIES.items()}

    def write(name: str, scan: Scan) -> None:
        for file, data in classic_series(scan):
            (tmp_path / "dicom" / "axial" / f"{name}-{file}").write_bytes(data)
        chain.archive.index.refresh()

    def counts(run: DagRun) -> dict[str, int]:
        report = chain.store.get(f"runs/reconcile/{run_key('tcia_reconcile', run.run_id)}/report.json")
        [found] = json.loads(report)["collections"]
        return {name: len(found[name]) for name in ("newly_wanted", "missing", "withdrawn", "revised")}

    chain.run("tcia_ingest", series=uids["axial"])
    quiet = chain.run("tcia_reconcile", collection="axial")
    assert states(quiet) == {"compare": ["success"], "fetch_revised": ["skipped"], "fail_on_refused": ["success"]}

    late = replace(SERIES["axial"], series_uid="1.2.3.4.12")
    write("late", late)
    write("revised", replace(SERIES["axial"], slices=9))
    followed = chain.run("tcia_reconcile", 2, collection="axial")
    assert counts(followed) == {"newly_wanted": 1, "missing": 0, "withdrawn": 0, "revised": 1}
    assert events(followed) == ["granary_rejected"]
    chain.run("catalog_load")
    with psycopg.connect(chain.dsn) as connection:
        told = connection.execute("SELECT series_uid, code, fatal FROM reject").fetchall()
    assert told == [(uids["axial"], "series_content_conflict", False)]

    shutil.rmtree(tmp_path / "dicom" / "axial")
    chain.archive.index.refresh()
    doubted = chain.run("tcia_reconcile", 3, collection="axial")
    assert (doubted.state, states(doubted)["fail_on_refused"]) == ("failed", ["failed"])
    assert list(chain.store.list("withdrawn/")) == []
    accepted = chain.run("tcia_reconcile", 4, collection="axial", accept_withdrawals=True)
    assert (accepted.state, counts(accepted)["missing"]) == ("success", 2)
    assert len(list(chain.store.list("withdrawn/"))) == 2
