"""What those who run the front door rely on: health, readiness, counts, bounds, proxies, logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from braingranary.accounts.records import Role
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.settings import CatalogSettings, ServingSettings, StoreSettings
from serving.app import create_app
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.readiness import Readiness
from serving.http.request_log import takes_body
from tests.serving.members import join
from tests.serving.serving_site import WAIT_S, ServingSite

pytestmark = pytest.mark.stack

NOWHERE = "127.0.0.1:9"  # discard: nobody listens there


@contextmanager
def opened(site: ServingSite, extend: Callable[[Flask], None] | None = None, **settings: Any) -> Iterator[FlaskClient]:
    """The application with settings of the test, and views of its own."""
    serving = {**site.serving, "pool_max": 2, "pool_timeout_s": WAIT_S, **settings.pop("serving", {})}
    app = create_app(**{**site.settings, "serving": ServingSettings.model_validate(serving), **settings})
    if extend is not None:
        extend(app)
    try:
        yield app.test_client()
    finally:
        app.extensions["granary"].close()


def counted(client: FlaskClient, line: str) -> float:
    """The value of one line of /metrics; 0 where it is not there (yet)."""
    text = client.get("/metrics").text
    return next((float(one.rsplit(" ", 1)[1]) for one in text.splitlines() if one.startswith(line)), 0.0)


def test_healthz_is_ok_and_readyz_names_what_is_away(site: ServingSite) -> None:
    secret = SecretStr("a-secret-that-nobody-sees")
    away: dict[str, Any] = {
        "catalog": CatalogSettings.model_validate(
            {"dsn": f"postgresql://granary:{secret.get_secret_value()}@{NOWHERE}/x"}
        ),
        "store": StoreSettings(endpoint_url=f"http://{NOWHERE}", access_key="a", secret_key=secret),
    }
    parts = {"database": "failing", "accounts": "ok", "object_store": "failing", "search": "failing", "limits": "ok"}
    with opened(site, **away) as client:
        assert client.get("/healthz").get_json() == {"status": "ok"}
        # What is there may need more than one question's time on a slow machine; what is away never answers.
        deadline = time.monotonic() + WAIT_S
        while (answer := client.get("/readyz")).get_json()["parts"] != parts:
            assert time.monotonic() < deadline, answer.get_json()
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unready")
    assert secret.get_secret_value() not in answer.text


def test_readyz_with_everything_there_is_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ready")
    assert answer.headers["Cache-Control"] == "no-store"


def test_readiness_asks_a_silent_part_once_and_gives_up_on_time() -> None:
    asked, release = [], threading.Event()

    def silent(_timeout_s: float) -> None:
        asked.append(1)
        release.wait()

    readiness = Readiness()
    readiness.add("silent", silent)
    readiness.add("good", lambda _timeout_s: None)
    try:
        # That it returns at all is the point: the part answers only after it.
        assert [readiness.ask(0.05)["silent"] for _ in range(3)] == ["failing"] * 3
        assert asked == [1]
    finally:
        release.set()


def test_metrics_are_for_operators_and_known_networks(site: ServingSite) -> None:
    with opened(site) as client:
        assert client.get("/metrics").status_code == 401
        reader, operator = join(client.application), join(client.application, Role.OPERATOR)
        assert client.get("/metrics", headers=reader.headers).status_code == 403
        assert client.get("/metrics", headers=operator.headers).status_code == 200
    with opened(site, serving={"metrics_networks": ["127.0.0.0/8"]}) as client:
        assert client.get("/metrics").mimetype == "text/plain"
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 401


def test_metrics_count_by_template_and_never_by_what_a_visitor_sends(site: ServingSite) -> None:
    with opened(site, serving={"metrics_networks": ["127.0.0.0/8"]}) as client:
        one = 'granary_http_request_seconds_count{method="GET",route="/api/v1/series/<uid>",status="404"}'
        lost = 'granary_http_request_seconds_count{method="other",route="none",status="404"}'
        before, lost_before = counted(client, one), counted(client, lost)
        for uid in ("9.9.1", "9.9.2"):
            client.get(f"/api/v1/series/{uid}")
            client.open(f"/nowhere/{uid}", method="MAKEUP")
        assert counted(client, one) == before + 2
        assert counted(client, lost) == lost_before + 2
        text = client.get("/metrics").text
    assert "9.9.1" not in text
    assert "MAKEUP" not in text
    assert "granary_pool_wait_seconds_count" in text


def test_bodies_are_refused_by_their_length_before_anything_reads_them(site: ServingSite) -> None:
    def extend(app: Flask) -> None:
        @app.post("/large")
        @access(Access.PUBLIC)
        @takes_body(200_000)
        def large() -> str:
            raise AssertionError("read although it is too long")

        @app.post("/fits")
        @access(Access.PUBLIC)
        @takes_body(200_000)
        def fits() -> str:
            return "fits"

    with opened(site, extend) as client:
        assert client.post("/fits", data=b"x" * 100_000).text == "fits"
        for path, length in (("/large", 200_001), ("/authorization", 70_000), ("/nowhere", 70_000)):
            answer = client.post(path, data=b"x" * length)
            assert (answer.status_code, answer.get_json()["code"]) == (413, "request_too_large"), path
        chunked = client.post("/fits", headers={"Transfer-Encoding": "chunked"})
        assert chunked.status_code == 411


def test_more_bodies_than_places_are_answered_503_at_once_and_places_come_back(site: ServingSite) -> None:
    def extend(app: Flask) -> None:
        @app.post("/body")
        @access(Access.PUBLIC)
        def body() -> str:
            return "read"

        @app.post("/bounds-itself")
        @access(Access.PUBLIC)
        @takes_body(100)
        def bounds_itself() -> str:
            return "read"

    with opened(site, extend, serving={"uploads_max": 1}) as client:
        for _ in range(3):
            assert client.post("/body", data=b"x").text == "read"
        with client.application.extensions["granary"].uploads.hold():
            refused = client.post("/body", data=b"x")
            assert client.post("/body").status_code == 200  # without a body it needs no place
            assert client.post("/bounds-itself", data=b"x").status_code == 200
        assert (refused.status_code, refused.get_json()["code"]) == (503, "server_busy")
        assert int(refused.headers["Retry-After"]) > 0


def test_statement_over_its_time_is_504(site: ServingSite) -> None:
    def extend(app: Flask) -> None:
        @app.get("/slow")
        @access(Access.PUBLIC)
        def slow() -> str:
            with services().catalog(statement_timeout_ms=50) as connection:
                connection.execute("SELECT pg_sleep(5)")
            return "done"

    with opened(site, extend) as client:
        answer = client.get("/slow")
    assert (answer.status_code, answer.get_json()["code"]) == (504, str(Code.CATALOG_TIMEOUT))


def test_pool_that_is_taken_is_503_and_counted(site: ServingSite) -> None:
    with opened(site, serving={"pool_max": 1, "pool_timeout_s": 0.1, "metrics_networks": ["127.0.0.0/8"]}) as client:
        before = counted(client, "granary_pool_refused_total")
        with client.application.extensions["granary"].catalog(wait_s=WAIT_S):
            answer = client.get("/api/v1/studies")
            assert client.get("/healthz").status_code == 200
        assert (answer.status_code, answer.get_json()["code"]) == (503, str(Code.CATALOG_UNAVAILABLE))
        assert counted(client, "granary_pool_refused_total") == before + 1
        assert client.get("/api/v1/studies").status_code == 200


@pytest.mark.parametrize(
    ("peer", "trusted", "told"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], ("203.0.113.9", "https")),
        ("10.1.2.3", [], ("10.1.2.3", "http")),
        ("192.0.2.7", ["10.0.0.0/8"], ("192.0.2.7", "http")),
    ],
)
def test_forwarded_headers_are_believed_from_named_proxies_alone(
    site: ServingSite, peer: str, trusted: list[str], told: tuple[str, str]
) -> None:
    def extend(app: Flask) -> None:
        from flask import request  # noqa: PLC0415 - only this view asks

        @app.get("/who")
        @access(Access.PUBLIC)
        def who() -> dict[str, Any]:
            return {"who": [request.remote_addr, request.scheme]}

    with opened(site, extend, serving={"trusted_proxies": trusted}) as client:
        # The visitor invents the first address; the proxy appends the one that it saw.
        sent = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"}
        answer = client.get("/who", headers=sent, environ_base={"REMOTE_ADDR": peer})
    assert tuple(answer.get_json()["who"]) == told
    assert ("Strict-Transport-Security" in answer.headers) == (told[1] == "https")


def test_host_that_is_not_ours_is_a_problem(site: ServingSite) -> None:
    with opened(site, serving={"trusted_hosts": ["granary.example.org", "localhost"]}) as client:
        assert client.get("/healthz", headers={"Host": "granary.example.org"}).status_code == 200
        answer = client.get("/healthz", headers={"Host": "evil.example.com"})
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")


def test_slow_requests_are_logged_as_such_without_their_query(
    site: ServingSite, capsys: pytest.CaptureFixture[str]
) -> None:
    def extend(app: Flask) -> None:
        @app.get("/slow")
        @access(Access.PUBLIC)
        def slow() -> str:
            time.sleep(0.005)
            return ""

    with opened(site, extend, serving={"slow_request_ms": 1}) as client:
        client.get("/slow?collection=DOE%5EJANE", headers={"X-Request-ID": "slow-1"})
    told = "".join(capsys.readouterr())
    assert "slow_request" in told
    assert "slow-1" in told
    assert "JANE" not in told


def test_concurrency_limit_refuses_one_too_many(client: FlaskClient) -> None:
    limit = client.application.extensions["granary"].downloads
    for _ in range(limit.limit):
        limit.acquire()
    with pytest.raises(TransientFailure):
        limit.acquire()
    for _ in range(limit.limit):
        limit.release()
    with limit.hold(), pytest.raises(RejectedInput), limit.hold():
        raise RejectedInput(Code.REQUEST_INVALID, "what happens inside gives the places back")
