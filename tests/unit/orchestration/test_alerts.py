"""Alerts to real servers: a webhook that is busy at first, one with a secret in its address, a mail server, none."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from braingranary.errors import Code, TransientFailure
from braingranary.orchestration import alerts, policies
from tests.fixtures.small_server import SmallServer, small_server

CONNECTION = "AIRFLOW_CONN_GRANARY_ALERTS"


@pytest.fixture
def hook() -> Iterator[SmallServer]:
    with small_server() as server:
        server.answer("POST /hook", {})
        yield server


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    alerts._tell_once.cache_clear()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> structlog.testing.CapturingLogger:
    """What is logged of alerts, whatever other tests have configured."""
    logger = structlog.testing.CapturingLogger()
    monkeypatch.setattr(alerts, "_log", logger)
    return logger


def failed(map_index: int = -1) -> dict[str, Any]:
    instance = SimpleNamespace(
        dag_id="tcia_ingest", task_id="stage", run_id="r1", map_index=map_index, log_url="http://airflow/log"
    )
    return {"ti": instance, "exception": TransientFailure(Code.ARCHIVE_UNAVAILABLE, "no answer"), "run_id": "r1"}


def connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    monkeypatch.setenv(CONNECTION, json.dumps(fields))


def test_every_task_of_the_house_alerts() -> None:
    assert policies.DEFAULT_ARGS["on_failure_callback"] is alerts.alert_failed_task


def test_failed_task_is_told_to_the_webhook_which_is_busy_at_first(
    hook: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.answer("POST /hook", (503, {}), (200, {}))
    connect(monkeypatch, conn_type="http", host=f"{hook.url}/hook")
    alerts.alert_failed_task(failed())
    assert len(hook.asked) == 2
    assert hook.asked[1].json["text"].splitlines() == [
        "tcia_ingest: task stage failed",
        "run r1",
        "[archive_unavailable] no answer",
        "http://airflow/log",
    ]


def test_one_of_many_mapped_tasks_says_nothing(hook: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, conn_type="http", host=f"{hook.url}/hook")
    alerts.alert_failed_task(failed(map_index=3))
    assert hook.asked == []


def test_slack_webhook_has_its_secret_at_the_end_of_the_address(
    hook: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.answer("POST /services/T0/secret", {})
    connect(monkeypatch, conn_type="slackwebhook", host=f"{hook.url}/services", password="T0/secret")
    assert alerts.send("hello")
    assert hook.paths("POST") == ["/services/T0/secret"]


def test_webhook_that_refuses_is_told_in_the_log_without_its_address(
    hook: SmallServer, log: structlog.testing.CapturingLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, conn_type="slackwebhook", host=f"{hook.url}/services", password="secret")
    assert not alerts.send("hello")
    assert [call.args for call in log.calls] == [("alert_not_sent",)]
    assert "secret" not in str(log.calls)
    assert len(hook.asked) == 1  # a refusal is not worth another try


def test_without_the_connection_nothing_is_sent_and_that_is_said_once(log: structlog.testing.CapturingLogger) -> None:
    assert [alerts.send("hello") for _ in range(3)] == [False] * 3
    assert [call.args for call in log.calls] == [("alerts_off",)]


def test_mail_goes_out_by_smtp(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=take_mail, args=(listening, lines))
        server.start()
        extra = {"to": "ops@example.org", "from_email": "granary@example.org", "disable_ssl": True, "disable_tls": True}
        connect(monkeypatch, conn_type="smtp", host="127.0.0.1", port=listening.getsockname()[1], extra=extra)
        assert alerts.send("tcia_ingest: task stage failed\nrun <r1>")
        server.join(20)
    mail = "\n".join(lines)
    assert "rcpt to:<ops@example.org>" in mail.lower()
    assert "Subject: BrainGranary: tcia_ingest: task stage failed" in mail


def take_mail(listening: socket.socket, lines: list[str]) -> None:
    """Take one mail as an SMTP server does, keeping every line that the client sends."""
    connection, _ = listening.accept()
    with connection, connection.makefile("rwb", buffering=0) as stream:
        stream.write(b"220 here\r\n")
        in_data = False
        for line in iter(stream.readline, b""):
            text = line.decode().rstrip("\r\n")
            lines.append(text)
            if in_data:
                in_data = text != "."
                if in_data:
                    continue
            elif text.upper() == "DATA":
                in_data = True
                stream.write(b"354 go on\r\n")
                continue
            stream.write(b"250 ok\r\n")
            if text.upper() == "QUIT":
                return
