"""Counts of the real front door: over all its workers, through reloads and deaths, and every line of its log JSON."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx
import pytest

from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.front_door_process import FrontDoorProcess, front_door_process
from tests.serving.serving_site import ServingSite

pytestmark = pytest.mark.stack

REQUESTS = 30
SERIES = 'granary_http_request_seconds_count{method="GET",route="/api/v1/series",status="200"}'


def counted(client: httpx.Client, line: str) -> float:
    text = client.get("/metrics").raise_for_status().text
    return next(float(one.rsplit(" ", 1)[1]) for one in text.splitlines() if one.startswith(line))


def wait_for_others(running: FrontDoorProcess, before: set[int]) -> None:
    def others() -> bool:
        now = {worker.pid for worker in running.workers()}
        return len(now) == 2 and not now & before

    until(others, "the workers stay")


def test_counts_are_of_all_workers_and_outlive_them(site: ServingSite, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = {"GRANARY_SERVING_METRICS_NETWORKS": '["127.0.0.0/8"]', "GRANARY_SERVING_DETECT_PROCESSES": "0"}
    headers = {"Connection": "close"}  # so that both workers get some
    with (
        front_door_process(site, log, settings=settings) as running,
        httpx.Client(base_url=running.address, timeout=PATIENCE_S, trust_env=False, headers=headers) as client,
    ):
        for _ in range(REQUESTS):
            client.get("/api/v1/series").raise_for_status()
        assert counted(client, SERIES) == REQUESTS
        wait_for_others(running, set())
        first = {worker.pid for worker in running.workers()}
        running.server.send_signal(signal.SIGHUP)
        wait_for_others(running, first)
        for _ in range(REQUESTS):
            client.get("/api/v1/series").raise_for_status()
        assert counted(client, SERIES) == 2 * REQUESTS
        victim = running.workers()[0]
        victim.kill()
        wait_for_others(running, {victim.pid})
        assert counted(client, SERIES) == 2 * REQUESTS
        assert counted(client, "granary_build_info") == 1
        assert counted(client, "granary_downloads_in_flight") == 0
    lines = log.read_text().splitlines()
    assert {type(json.loads(line)) for line in lines} == {dict}
    assert site.dsn not in log.read_text()
