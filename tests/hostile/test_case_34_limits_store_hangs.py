"""Case 34: the store of the limits hangs (SIGSTOP) under 40 clients. No answer is a 5xx, and limits still hold."""

from __future__ import annotations

import secrets
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from braingranary.devstack import processes, services
from braingranary.devstack.servers.limits_store import LimitsStore
from tests.bench.levels import quantile
from tests.serving.accounts_app import accounts_app

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

CLIENTS = 40
REQUESTS_EACH = 10
BUDGET = 200


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[str, psutil.Process]]:
    """URL of a store of this test alone, and its process."""
    server = LimitsStore(
        state=tmp_path, port=processes.free_ports(1)[0], password=secrets.token_urlsafe(12), logs=tmp_path, bound=True
    )
    record = services.start(server)
    yield server.url, psutil.Process(record.pid)
    processes.stop(record)


def test_case_34_store_that_hangs_costs_no_request_its_answer(
    postgres_dsn: str, store: tuple[str, psutil.Process]
) -> None:
    url, process = store
    with accounts_app(postgres_dsn, limits={"store": url, "general": f"{BUDGET}/hour"}) as app:

        def ask(number: int) -> list[tuple[int, float]]:
            client, answers = app.test_client(), []
            for _ in range(REQUESTS_EACH):
                began = time.perf_counter()
                answer = client.get("/api/v1/openapi.json", environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
                answers.append((answer.status_code, (time.perf_counter() - began) * 1000))
            return answers

        assert app.test_client().get("/api/v1/openapi.json").status_code == 200
        family = [process, *process.children(recursive=True)]
        for one in family:
            one.send_signal(signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(CLIENTS) as pool:
                answers = [answer for found in pool.map(ask, range(CLIENTS)) for answer in found]
            ready = app.test_client().get("/readyz").get_json()["parts"]
        finally:
            for one in family:
                one.send_signal(signal.SIGCONT)
    statuses = Counter(status for status, _ in answers)
    assert set(statuses) == {200, 429}
    assert statuses[200] == BUDGET
    assert ready["limits"] == "degraded"
    print(
        f"case 34 limits store hangs: answers={dict(statuses)} answers_5xx=0 "
        f"p99_ms={quantile([ms for _, ms in answers], 0.99):.0f}"
    )
