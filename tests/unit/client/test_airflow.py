"""The client of Airflow's REST API against a real server: logins, requests as Airflow wants them, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from braingranary.client.airflow import AirflowApi, Backfill
from braingranary.errors import Code, ConfigurationError, GranaryError, RejectedInput, TransientFailure
from tests.fixtures import airflow_answers
from tests.fixtures.small_server import SmallServer, small_server

DAY = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[SmallServer]:
    with small_server() as server:
        airflow_answers.serve_login(server)
        yield server


@pytest.fixture
def api(server: SmallServer) -> Iterator[AirflowApi]:
    with AirflowApi(base_url=server.url, user="me", password="secret", patience_s=3) as api:
        yield api


def test_trigger_sends_token_conf_and_interval(server: SmallServer, api: AirflowApi) -> None:
    server.answer("POST /api/v2/dags/x_ingest/dagRuns", {})
    assert api.trigger("x_ingest", "r1", {"limit": 3}, (DAY, DAY.replace(day=3)))
    login, asked = server.asked
    assert login.json == {"username": "me", "password": "secret"}
    assert asked.headers["authorization"] == "Bearer token-1"
    assert datetime.fromisoformat(asked.json["logical_date"]) > DAY  # now: each is taken only once
    assert asked.json == {
        "dag_run_id": "r1",
        "logical_date": asked.json["logical_date"],
        "data_interval_start": "2026-01-02T00:00:00+00:00",
        "data_interval_end": "2026-01-03T00:00:00+00:00",
        "conf": {"limit": 3},
    }
    api.trigger("x_ingest", "r2", {})
    assert server.asked[-1].json == {"dag_run_id": "r2", "logical_date": None, "conf": {}}
    assert server.paths("POST").count("/auth/token") == 1


def test_trigger_of_a_run_that_is_there_is_no_failure(server: SmallServer, api: AirflowApi) -> None:
    server.answer("POST /api/v2/dags/x_ingest/dagRuns", {}, status=409)
    assert not api.trigger("x_ingest", "r1", {})


def test_backfill_is_asked_for_as_airflow_wants_it(server: SmallServer, api: AirflowApi) -> None:
    server.answer("POST /api/v2/backfills", {"id": 7})
    server.answer("GET /api/v2/backfills/7", {"completed_at": None}, {"completed_at": airflow_answers.AT})
    wanted = Backfill(dag_id="x_ingest", first=DAY, last=DAY.replace(day=6), reprocess="failed", max_active_runs=3)
    assert api.backfill(wanted) == 7
    assert server.asked[-1].json == {
        "dag_id": "x_ingest",
        "from_date": "2026-01-02T00:00:00+00:00",
        "to_date": "2026-01-06T00:00:00+00:00",
        "reprocess_behavior": "failed",
        "max_active_runs": 3,
        "dag_run_conf": {},
    }
    assert [api.backfill_completed(7), api.backfill_completed(7)] == [False, True]


def test_token_that_ran_out_is_asked_for_again(server: SmallServer, api: AirflowApi) -> None:
    server.answer("GET /api/v2/dags/x/dagRuns/r", (401, {}), (200, airflow_answers.run("x", "r")))
    assert api.run("x", "r").finished
    assert server.paths("POST").count("/auth/token") == 2


def test_server_that_is_busy_is_asked_again(server: SmallServer, api: AirflowApi) -> None:
    server.answer("GET /api/v2/dags/x/dagRuns/r", (503, {}), (200, airflow_answers.run("x", "r", "running")))
    assert api.run("x", "r").state == "running"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (404, RejectedInput, Code.NOT_FOUND),
        (422, RejectedInput, Code.REQUEST_INVALID),
        (403, RejectedInput, Code.REQUEST_INVALID),
        (418, TransientFailure, Code.INTERNAL),
    ],
)
def test_refusal_is_an_error_with_a_code(
    server: SmallServer, api: AirflowApi, status: int, kind: type[GranaryError], code: Code
) -> None:
    server.answer("GET /api/v2/dags/x/dagRuns/r", {"detail": "no"}, status=status)
    with pytest.raises(kind) as caught:
        api.run("x", "r")
    assert caught.value.code is code


def test_refused_login_is_a_setting_at_fault(server: SmallServer, api: AirflowApi) -> None:
    server.answer("POST /auth/token", {}, status=401)
    with pytest.raises(ConfigurationError) as caught:
        api.run("x", "r")
    assert caught.value.code is Code.CREDENTIALS_INVALID
    assert "secret" not in str(caught.value)
