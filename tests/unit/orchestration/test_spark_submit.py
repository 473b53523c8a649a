"""Jobs run by a real spark-submit: environment, progress, application id, failures, and an end for the process tree."""

from __future__ import annotations

import json
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from braingranary.errors import ConfigurationError
from braingranary.orchestration import connections
from braingranary.orchestration.engines import base, spark
from braingranary.orchestration.engines.submit import SubmitRunner

pytestmark = pytest.mark.spark

SECRET = "s3cret-of-the-store"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> SubmitRunner:
    monkeypatch.setenv("AIRFLOW_CONN_GRANARY_SPARK", json.dumps({"conn_type": "spark", "host": "local[1]"}))
    monkeypatch.setenv("AIRFLOW_CONN_GRANARY_POSTGRES", "postgres://role:of-airflow@db/x")
    monkeypatch.setenv("GRANARY_CATALOG_DSN", "postgresql://of-the-catalogue")
    return SubmitRunner(connections.spark_settings())


def job(tmp_path: Path, source: str) -> base.SparkJob:
    path = tmp_path / "job.py"
    path.write_text(textwrap.dedent(source))
    return base.SparkJob(
        name="probe",
        application=path,
        arguments=(str(tmp_path / "seen.json"),),
        environment={"GRANARY_S3_SECRET_KEY": SECRET},
    )


def test_run_job_gets_its_secret_by_environment_alone(
    tmp_path: Path, runner: SubmitRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    source = """
        import json, os, sys, psutil
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.getOrCreate()
        print("progress 1 of 2", spark.sparkContext.applicationId, flush=True)
        print("2026-01-02 03:04:05 [warning  ] series_rejected      code=localizer", flush=True)
        seen = spark.sparkContext.parallelize([0], 1).map(
            lambda _: (os.environ["GRANARY_S3_SECRET_KEY"], sys.executable)
        ).collect()[0]
        me = psutil.Process()
        json.dump({
            "worker": seen, "environment": dict(os.environ), "id": spark.sparkContext.applicationId,
            "commands": [p.cmdline() for p in [me, *me.parents()] if "spark" in " ".join(p.cmdline())],
            "listening": [
                c.laddr.ip for p in [me, me.parent()] for c in p.net_connections() if c.status == "LISTEN"
            ],
        }, open(sys.argv[1], "w"))
        spark.stop()
    """
    outcome = runner.run(job(tmp_path, source))
    log = capsys.readouterr().out
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["worker"][0] == SECRET
    assert seen["worker"][1] == base.python_environment()["PYSPARK_PYTHON"]
    assert SECRET not in json.dumps(seen["commands"])
    assert len(seen["commands"]) >= 2
    inherited = {
        name: value for name, value in seen["environment"].items() if "of-airflow" in value or "of-the" in value
    }
    assert set(inherited) == {"GRANARY_S3_SECRET_KEY"}
    assert {address.removeprefix("::ffff:") for address in seen["listening"]} <= {"127.0.0.1"}
    assert outcome.application_id == seen["id"]
    assert "progress 1 of 2" in log
    assert "WARNING series_rejected code=localizer" in log
    assert SECRET not in log


def test_run_job_that_fails_is_told_and_may_be_tried_again(
    tmp_path: Path, runner: SubmitRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(base.SparkJobFailed, match="status 3"):
        runner.run(job(tmp_path, "import sys; print('the reason', flush=True); sys.exit(3)"))
    assert "the reason" in capsys.readouterr().out


def test_kill_running_job_ends_the_whole_process_tree(tmp_path: Path, runner: SubmitRunner) -> None:
    source = """
        import json, os, sys, time
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.getOrCreate()
        json.dump(os.getpid(), open(sys.argv[1] + ".part", "w"))
        os.rename(sys.argv[1] + ".part", sys.argv[1])
        spark.sparkContext.parallelize([0], 1).map(lambda _: time.sleep(600)).collect()
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            runner.run(job(tmp_path, source))
        except base.SparkJobFailed as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    seen = tmp_path / "seen.json"
    while thread.is_alive() and not seen.exists():
        time.sleep(0.1)
    driver = psutil.Process(json.loads(seen.read_text()))
    java = driver.parent()
    assert java is not None
    tree = [java, *java.children(recursive=True)]
    runner.kill()
    thread.join()
    assert len(failures) == 1
    assert [process for process in tree if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def test_runner_for_foreign_master_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="yarn"):
        spark.runner_for(connections.SparkSettings(master="yarn"))


def test_run_cluster_mode_is_refused_before_anything_starts(tmp_path: Path) -> None:
    settings = connections.SparkSettings(master="spark://h:1", deploy_mode="cluster")
    with pytest.raises(ConfigurationError, match="deploy-mode"):
        SubmitRunner(settings).run(job(tmp_path, ""))


def test_application_path_names_a_job_of_the_repository() -> None:
    assert spark.application_path("normalize_series").name == "normalize_series.py"
    with pytest.raises(ConfigurationError):
        spark.application_path("../../etc/passwd")
