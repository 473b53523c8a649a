"""The page of the API in Chromium: it draws every route under the strict policy, out of our files alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from werkzeug.serving import make_server

from braingranary.settings import StoreSettings
from serving.app import create_app
from tests.serving.serving_site import ServingSite

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A front door without database and store behind it: the description needs neither database nor store."""
    nowhere = StoreSettings(endpoint_url="http://127.0.0.1:1", access_key="none", secret_key=SecretStr("none"))
    site = ServingSite(dsn="postgresql://nobody@127.0.0.1:1/none", store=None, store_settings=nowhere, jpegs={})  # type: ignore[arg-type]
    server = make_server("127.0.0.1", 0, create_app(**site.settings), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_docs_draw_every_route_without_trouble_or_foreign_files(address: str, chromium: Browser) -> None:
    troubles: list[str] = []
    foreign: list[str] = []
    page = chromium.new_page()
    page.on("console", lambda message: troubles.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(request.url))
    page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(address) else None)
    answer = page.goto(f"{address}/api/v1/docs")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    spec = page.request.get(f"{address}/api/v1/openapi.json").json()
    expect(page.locator(".opblock")).to_have_count(sum(len(item) for item in spec["paths"].values()))
    page.locator("#operations-series-series_list_series .opblock-summary-control").click()
    expect(page.locator("#operations-series-series_list_series .opblock-description")).to_be_visible()
    page.locator(".auth-wrapper .authorize").first.click()
    expect(page.locator(".modal-ux h4").first).to_contain_text("token")
    page.close()
    assert troubles == []
    assert [url for url in foreign if not url.startswith("data:")] == []
