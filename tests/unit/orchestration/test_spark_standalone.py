"""A standalone master: executors in processes of their own get the store's credentials, and no argv shows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from braingranary.devstack import processes
from braingranary.orchestration import connections
from braingranary.orchestration.engines import base
from braingranary.orchestration.engines.submit import SubmitRunner

pytestmark = pytest.mark.spark

SECRET = r"s3cret/+=\é: of the store"


@pytest.fixture
def master(tmp_path: Path) -> Iterator[str]:
    """A master and a worker on free ports of the loopback address."""
    port, page, worker, worker_page = processes.free_ports(4)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GRANARY_")},
        **base.python_environment(),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(tmp_path / "work"),
    }
    launcher = str(Path(sys.executable).with_name("spark-class"))
    package = "org.apache.spark.deploy"
    address = f"spark://127.0.0.1:{port}"
    here = ["--host", "127.0.0.1"]
    commands = [
        [launcher, f"{package}.master.Master", *here, "--port", str(port), "--webui-port", str(page)],
        [launcher, f"{package}.worker.Worker", *here, "--port", str(worker), "--webui-port", str(worker_page),
         "--cores", "1", "--memory", "1g", address],
    ]  # fmt: skip
    with (tmp_path / "cluster.log").open("wb") as log:
        started = [subprocess.Popen(command, env=environment, stdout=log, stderr=log) for command in commands]
        try:
            while _alive_workers(page) == 0:
                assert all(process.poll() is None for process in started), (tmp_path / "cluster.log").read_text()
                time.sleep(0.2)
            yield address
        finally:
            family = [child for process in started for child in psutil.Process(process.pid).children(recursive=True)]
            for child in family:
                child.terminate()
            for process in started:
                process.terminate()
            for process in started:
                process.wait()


def _alive_workers(page: int) -> int:
    try:
        return int(httpx.get(f"http://127.0.0.1:{page}/json/", timeout=15, trust_env=False).json()["aliveworkers"])
    except (httpx.HTTPError, ValueError, KeyError):
        return 0


def test_run_on_a_master_gives_the_secret_to_executors_alone(
    tmp_path: Path, master: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = {"conf": {"spark.executor.memory": "512m", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}}
    fields = {"conn_type": "spark", "host": master, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GRANARY_SPARK", json.dumps(fields))
    source = """
        import json, os, sys, psutil
        from pyspark.sql import SparkSession

        def look(_):
            family = [psutil.Process(), *psutil.Process().parents()]
            return os.environ.get("GRANARY_S3_SECRET_KEY"), [process.cmdline() for process in family]

        spark = SparkSession.builder.getOrCreate()
        secret, commands = spark.sparkContext.parallelize([0], 1).map(look).collect()[0]
        everybody = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        json.dump({"secret": secret, "commands": commands + everybody}, open(sys.argv[1], "w"))
        spark.stop()
    """
    path = tmp_path / "job.py"
    path.write_text(textwrap.dedent(source))
    job = base.SparkJob(
        name="probe",
        application=path,
        arguments=(str(tmp_path / "seen.json"),),
        environment={"GRANARY_S3_SECRET_KEY": SECRET},
    )
    outcome = SubmitRunner(connections.spark_settings()).run(job)
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["secret"] == SECRET
    assert any("CoarseGrainedExecutorBackend" in " ".join(command) for command in seen["commands"])
    assert not any(SECRET[:6] in " ".join(command) for command in seen["commands"])
    assert outcome.application_id is not None
    assert outcome.application_id.startswith("app-")
    assert SECRET[:6] not in capsys.readouterr().out
    # Of this machine's processes all were looked at: other servers have files of this ending as well.
    options = [Path(option) for command in seen["commands"] for option in command if option.endswith(".conf")]
    properties = [option for option in options if option.name.startswith("granary-")]
    assert properties
    assert not any(option.exists() for option in properties)
