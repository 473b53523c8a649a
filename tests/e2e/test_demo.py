"""`make demo` as a newcomer sees it: what it ingests, tells and leaves behind."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from braingranary.devstack import processes, services
from braingranary.devstack.sample_head import expected_series
from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.errors import TransientFailure
from braingranary.orchestration.model_files import is_shipped
from tests.e2e.demo import DemoStack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]


def _all_series(demo: DemoStack) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    path: str | None = "/api/v1/series?limit=5"
    while path:
        page = demo.get(path)
        found.extend(page["series"])
        path = f"/api/v1/series?limit=5&cursor={page['next']}" if page.get("next") else None
    return found


def test_demo_of_the_sample_catalogues_what_it_holds(demo_stack: DemoStack) -> None:
    expected = {series.series_uid: series for series in expected_series() if series.catalogued}
    found = {str(series["series_uid"]): series for series in _all_series(demo_stack)}
    assert found.keys() == expected.keys()
    for uid, series in found.items():
        assert (series["plane"], series["slice_count"]) == (expected[uid].plane, expected[uid].slices)


def test_demo_tells_rejects_with_their_reasons(demo_stack: DemoStack) -> None:
    told = demo_stack.demo()
    for series in expected_series():
        if series.expected_reject is not None:
            assert re.search(rf"reject.*{series.expected_reject}", told), told


def test_demo_scores_every_series_by_the_shipped_weights_or_says_that_there_are_none(demo_stack: DemoStack) -> None:
    told = re.search(r"^Scored for tumour by \S+: (\d+) series, (\d+) slices", demo_stack.output, flags=re.MULTILINE)
    if not is_shipped():
        assert told is None
        assert "Not scored for tumour" in demo_stack.output
        return
    assert told is not None
    assert int(told[1]) == sum(series.catalogued for series in expected_series())
    assert int(told[2]) > int(told[1])


def test_demo_curl_lines_work_as_told(demo_stack: DemoStack, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    lines = re.findall(r"^  (curl .*)$", demo_stack.output, flags=re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        subprocess.run(["bash", "-c", line.replace("curl -s", "curl -sS --fail")], check=True, cwd=tmp_path)
    assert (tmp_path / "slice.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    with zipfile.ZipFile(tmp_path / "withtumor_ax.zip") as slices:
        assert slices.testzip() is None
        assert slices.namelist()


def test_demo_a_second_time_changes_nothing(demo_stack: DemoStack) -> None:
    before = demo_stack.snapshot()
    demo_stack.demo()
    assert before.changes(demo_stack.snapshot()) == []
    print(f"demo again: seconds={demo_stack.seconds[-1]:.1f} (first {demo_stack.seconds[0]:.1f})")


def test_demo_after_kills_repairs_itself(demo_stack: DemoStack) -> None:
    before = demo_stack.snapshot()
    records = processes.load_records(demo_stack.state / "processes")
    for record in records:
        leader = processes.leader(record)
        if record.name in {"postgres", "airflow", "serving"} and leader is not None:
            leader.send_signal(signal.SIGKILL)
            if record.name == "airflow":  # as if the command had been killed before it wrote the record
                (demo_stack.state / "processes" / "airflow.json").unlink()
    demo_stack.demo()
    assert before.changes(demo_stack.snapshot()) == []
    owners = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "supervisor.supervisord" in (process.info["cmdline"] or [])
    ]
    ours = [process for process in owners if process.environ().get(processes.OWNER) == str(demo_stack.state)]
    assert len(ours) == 1


def test_demo_listens_on_loopback_alone_and_shows_no_secret(demo_stack: DemoStack) -> None:
    demo_stack.up()
    # `home` is kept beside the secrets, and is the name of a folder.
    secrets = [secret for name, secret in demo_stack.secrets.items() if name != "home"]
    members = [psutil.Process(int(line.split()[0])) for line in demo_stack.living()]
    pids = {process.pid for process in members}
    listening = [one for one in psutil.net_connections("inet") if one.status == "LISTEN" and one.pid in pids]
    assert len(listening) >= 4
    assert {one.laddr[0] for one in listening if one.laddr} <= {"127.0.0.1", "::1"}
    for process in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            told = " ".join(process.cmdline())
            assert not [secret for secret in secrets if secret in told], process.name()
    for path in demo_stack.state.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o004 and path.stat().st_size < 10_000_000:
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path


def test_demo_airflow_comes_back_after_postgresql_was_away(demo_stack: DemoStack) -> None:
    demo_stack.up()
    records = demo_stack.state / "processes"
    (record,) = (record for record in processes.load_records(records) if record.name == "postgres")
    processes.stop(record)
    server = PostgresServer(
        state=demo_stack.state,
        port=demo_stack.ports["postgres"][0],
        password=demo_stack.secrets["postgres_administrator"],
        logs=demo_stack.state / "logs",
    )
    time.sleep(20)  # long enough for every component that needs it to end
    services.start(server).save(records)
    deadline = time.monotonic() + 600
    healthy = False
    while not healthy:
        assert time.monotonic() < deadline, "Airflow did not come back"
        time.sleep(1)
        with contextlib.suppress(TransientFailure), demo_stack.airflow() as api:
            healthy = api.healthy()


def test_operators_commands_work_on_the_demo(demo_stack: DemoStack) -> None:
    demo_stack.up()
    before = demo_stack.snapshot()
    status = json.loads(demo_stack.granary("status", "--json"))
    assert {one["name"]: one["state"] for one in status["processes"]}.items() >= {
        "airflow": "running", "postgres": "running", "s3": "running", "serving": "running",
    }.items()  # fmt: skip
    pipeline = status["pipeline"]
    assert set(pipeline["fresh"]) == {"ingest", "normalize", "score"}
    assert pipeline["pending"] == {"normalize": 0, "score": 0}
    assert pipeline["airflow"]["newest_runs"]["tcia_ingest"]["state"] == "success"

    told = json.loads(demo_stack.granary("rejects", "list", "--json"))
    expected = {series.expected_reject for series in expected_series() if series.expected_reject}
    assert {one["code"] for one in told["rejects"]} == {str(code) for code in expected}

    ingested = json.loads(demo_stack.granary("ingest", "tcia", "--collection", "Sample-Lesion", "--wait", "--json"))
    assert next((run["dag_id"], run["state"]) for run in ingested["runs"]) == ("tcia_ingest", "success")
    changes = [line for line in before.changes(demo_stack.snapshot()) if line.startswith("object raw/")]
    assert changes == []  # everything was staged already

    day = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
    backfilled = json.loads(demo_stack.granary("backfill", "tcia", "--from", day, "--to", day, "--wait", "--json"))
    assert [(run["dag_id"], run["state"]) for run in backfilled["runs"]] == [("tcia_ingest", "success")]


def test_stop_leaves_no_process_and_demo_finds_its_data_again(demo_stack: DemoStack) -> None:
    before = demo_stack.snapshot()
    assert demo_stack.living()
    demo_stack.stop()
    assert demo_stack.living() == []
    demo_stack.demo()
    assert before.changes(demo_stack.snapshot()) == []
