"""The front door under gunicorn: preloaded, forked, threaded, and gone without a trace when told to stop."""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.fixtures.patience import PATIENCE_S
from tests.serving.front_door_process import front_door_address
from tests.serving.serving_site import SLICES, ServingSite

pytestmark = pytest.mark.stack


def test_gunicorn_serves_many_at_once_and_logs_json_with_request_ids(site: ServingSite, tmp_path: Path) -> None:
    log = tmp_path / "gunicorn.log"
    with front_door_address(site, log) as address, httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        listed = client.get("/api/v1/series", params={"limit": 50}).json()["series"]
        thumbnails = [item["thumbnail_url"] for item in listed] * 4
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(client.get, thumbnails))
            zips = list(pool.map(client.get, ["/Images/withtumor_ax"] * 4))
        assert {answer.status_code for answer in answers} == {200}
        for answer in zips:
            assert len(answer.content) == int(answer.headers["Content-Length"])
            assert len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == 2 * SLICES - 2 + 3
        assert client.get("/healthz", headers={"X-Request-ID": "live-1"}).json() == {"status": "ok"}
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    ours = [line for line in lines if line.get("request_id") == "live-1"]
    assert [(line["event"], line["route"], line["status"]) for line in ours] == [("request", "/healthz", 200)]
    assert site.dsn not in log.read_text()
