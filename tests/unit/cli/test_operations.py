"""The operators' commands against real servers that answer as Airflow does: what they ask for, print and exit with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from braingranary.cli.errors import EXIT_REFUSED, EXIT_TRY_AGAIN
from braingranary.cli.main import main
from tests.fixtures import airflow_answers
from tests.fixtures.small_server import SmallServer, small_server

DAG = "tcia_ingest"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    with small_server() as server:
        airflow_answers.serve_login(server)
        for dag_id in (DAG, "normalize", "catalog_load"):
            airflow_answers.serve_dag(server, dag_id)
        for name, value in {"FRONT_DOOR_URL": server.url, "AIRFLOW_URL": server.url, "AIRFLOW_PASSWORD": "x"}.items():
            monkeypatch.setenv(f"GRANARY_CLIENT_{name}", value)
        monkeypatch.setattr("braingranary.cli.operations.new_run_id", lambda: "cli__1")
        monkeypatch.setattr("braingranary.cli.ingest.new_run_id", lambda: "cli__1")
        monkeypatch.setattr("braingranary.cli.upkeep.new_run_id", lambda: "cli__1")
        yield server


def granary(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def serve_run(server: SmallServer, dag_id: str, run_id: str, *states: str, **tasks: str | None) -> None:
    path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
    server.answer(f"GET {path}", *(airflow_answers.run(dag_id, run_id, state) for state in states))
    server.answer(f"GET {path}/taskInstances", airflow_answers.tasks(**tasks))


def test_ingest_triggers_the_archives_dag_with_what_was_asked(server: SmallServer) -> None:
    serve_run(server, DAG, "cli__1", "queued")
    done = granary("ingest", "tcia", "--collection", "A", "--limit", "2", "--param", 'modality=["MR"]', "--json",
                   "--from", "2026-01-02", "--before", "2026-01-04")  # fmt: skip
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["runs"]
    assert (told["run_id"], told["state"]) == ("cli__1", "queued")
    (asked,) = [one.json for one in server.asked if one.path.endswith("/dagRuns")]
    assert asked["conf"] == {"collection": "A", "limit": 2, "modality": ["MR"]}
    assert asked["data_interval_end"] == "2026-01-04T00:00:00+00:00"


def test_ingest_waits_for_the_runs_that_it_wakes(server: SmallServer) -> None:
    serve_run(server, DAG, "cli__1", "running", "success", stage="success")
    serve_run(server, "normalize", "n1", "success", plan="success")
    woken = {"asset_events": [{"created_dagruns": [{"dag_id": "normalize", "run_id": "n1"}]}]}
    server.answer("GET /api/v2/assets/events", woken, {"asset_events": []})
    done = granary("ingest", "tcia", "--wait", "--json")
    assert done.exit_code == 0, done.output
    runs = json.loads(done.stdout)["runs"]
    assert [(run["dag_id"], run["state"]) for run in runs] == [(DAG, "success"), ("normalize", "success")]
    assert runs[0]["tasks"] == {"stage": {"success": 1}}


def test_ingest_that_fails_is_an_error_that_names_the_tasks(server: SmallServer) -> None:
    serve_run(server, DAG, "cli__1", "failed", stage="failed", publish="success")
    done = granary("ingest", "tcia", "--wait")
    assert done.exit_code == EXIT_REFUSED
    assert done.stderr.splitlines()[-1] == "Error: run_failed: tcia_ingest cli__1: tasks stage failed"


def test_paused_dag_is_refused_or_unpaused(server: SmallServer) -> None:
    airflow_answers.serve_dag(server, DAG, paused=True)
    serve_run(server, DAG, "cli__1", "queued")
    refused = granary("ingest", "tcia")
    assert (refused.exit_code, "Error: request_invalid: DAG tcia_ingest is paused" in refused.stderr) == (1, True)
    assert granary("ingest", "tcia", "--unpause").exit_code == 0
    assert server.paths("PATCH") == ["/api/v2/dags/tcia_ingest"]


def test_archive_without_a_dag_is_not_found(server: SmallServer) -> None:
    done = granary("ingest", "nowhere")
    assert done.exit_code == EXIT_REFUSED
    assert done.stderr.startswith("Error: not_found: ")
    assert server.asked


def test_backfill_asks_for_every_night_and_tells_failed_runs(server: SmallServer) -> None:
    server.answer("POST /api/v2/backfills", {"id": 3})
    server.answer("GET /api/v2/backfills/3", {"completed_at": airflow_answers.AT})
    runs = [airflow_answers.run(DAG, "b1"), airflow_answers.run(DAG, "b2", "failed")]
    server.answer(f"GET /api/v2/dags/{DAG}/dagRuns", {"dag_runs": runs})
    for run in runs:
        serve_run(server, DAG, run["dag_run_id"], run["state"])
    done = granary("backfill", "tcia", "--from", "2026-01-01", "--to", "2026-01-05", "--wait", "--json")
    assert (done.exit_code, done.stderr) == (1, "Error: run_failed: 1 of 2 runs failed: b2\n")
    assert json.loads(done.stdout)["backfill"] == 3
    (asked,) = [one.json for one in server.asked if one.path == "/api/v2/backfills"]
    assert (asked["from_date"], asked["to_date"]) == ("2026-01-01T00:00:00+00:00", "2026-01-05T23:59:59+00:00")


def test_audit_prints_what_was_found_and_fails_with_its_run(server: SmallServer) -> None:
    airflow_answers.serve_dag(server, "catalog_audit")
    serve_run(server, "catalog_audit", "cli__1", "success", compare="success")
    path = "/api/v2/dags/catalog_audit/dagRuns/cli__1/taskInstances/compare/xcomEntries/return_value"
    server.answer(f"GET {path}", {"value": {"objects": 9, "pack_missing": 1}})
    done = granary("audit", "--share", "0.5", "--repair", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["found"] == {"objects": 9, "pack_missing": 1}
    (asked,) = [one.json for one in server.asked if one.path.endswith("/dagRuns")]
    assert asked["conf"] == {"share": 0.5, "repair": True, "remove_orphans": False}


def test_rejects_are_listed_by_reason(server: SmallServer) -> None:
    reason = {"code": "localizer", "step": "normalize", "archive": "tcia", "collection": "A", "series_count": 2,
              "lost_count": 1, "newest_at": airflow_answers.AT}  # fmt: skip
    server.answer("GET /api/v1/rejects", {"rejects": [reason]})
    assert granary("rejects", "list").output.split()[:3] == ["localizer", "normalize", "2"]
    assert json.loads(granary("rejects", "list", "--json").stdout)["rejects"][0]["lost_count"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "tcia", "--from", "2026-01-02"),
        ("ingest", "tcia", "--param", "limit"),
        ("backfill", "tcia", "--from", "2026-01-05", "--to", "2026-01-01"),
        ("rejects", "retry"),
        ("audit", "--share", "2"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told_before_anything_is_asked(server: SmallServer, arguments: tuple[str, ...]) -> None:
    assert granary(*arguments).exit_code == 2
    assert server.paths("POST") == []


def test_airflow_that_is_away_is_worth_another_try(monkeypatch: pytest.MonkeyPatch, server: SmallServer) -> None:
    monkeypatch.setattr("braingranary.cli.operations.PATIENCE_S", 0.1)
    monkeypatch.setenv("GRANARY_CLIENT_AIRFLOW_URL", "http://127.0.0.1:9")
    assert granary("ingest", "tcia").exit_code == EXIT_TRY_AGAIN
    assert server.asked == []


def test_commands_without_settings_name_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANARY_CLIENT_FRONT_DOOR_URL", "http://127.0.0.1:9")
    done = granary("ingest", "tcia", "--state", str(tmp_path))
    assert (done.exit_code, done.stderr) == (
        1,
        "Error: configuration_invalid: set or correct GRANARY_CLIENT_*: airflow_url, airflow_password\n",
    )
    assert json.loads(granary("status", "--state", str(tmp_path), "--json").stdout) == {
        "processes": [],
        "pipeline": None,
    }


@pytest.mark.parametrize("command", ["ingest", "backfill", "status", "audit", "restore"])
def test_help_tells_the_exit_statuses(command: str) -> None:
    assert "75 not possible now" in " ".join(granary(command, "--help").output.split())


def test_ingest_that_waits_refuses_a_paused_dag_that_it_would_wake(server: SmallServer) -> None:
    airflow_answers.serve_dag(server, "catalog_load", paused=True)
    serve_run(server, DAG, "cli__1", "queued")
    refused = granary("ingest", "tcia", "--wait")
    assert (refused.exit_code, "DAG catalog_load is paused" in refused.stderr) == (1, True)
    assert not [one for one in server.asked if one.path.endswith("/dagRuns")]
    assert granary("ingest", "tcia").exit_code == 0
