"""Cases 3, 12, 25, 26, 27 and 28 as a visitor meets them: over HTTP, through nginx and gunicorn as shipped.

The cases' own modules look at more of each, inside the application.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from tests.fixtures import scans
from tests.fixtures.patience import until
from tests.hostile.test_case_03_jpeg_dimension_bomb import jpeg_bomb, png_bomb
from tests.serving.nginx import NginxSite, nginx_site
from tests.serving.own_site import own_site

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

ATTACKER = "127.0.1.1"
OWNER = "127.0.2.1"
CREDENTIALS = {"email": "nginx@example.org", "password": "correct horse battery"}
MARK = "Zqphi"


@pytest.fixture(scope="module")
def behind(
    postgres_server: PostgresServer, object_server: ObjectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NginxSite]:
    folder = tmp_path_factory.mktemp("behind-nginx")
    settings = {
        "GRANARY_SERVING_DETECT_PROCESSES": "1",
        "GRANARY_SERVING_DETECT_WEIGHTS": str(scans.shipped(folder)),
    }
    with (
        own_site(postgres_server, object_server, numbers=range(2)) as site,
        nginx_site(site, folder / "site", settings=settings) as running,
        running.client() as client,
    ):
        until(lambda: client.get("/readyz").is_success, "not ready")
        yield running


@pytest.fixture(scope="module")
def owner(behind: NginxSite) -> Iterator[httpx.Client]:
    """A client with an account."""
    with behind.client(OWNER) as client:
        answer = client.post("/authorization", json=CREDENTIALS).raise_for_status()
        client.headers["auth-token"] = answer.json()["accessToken"]
        yield client


@pytest.mark.parametrize("bomb", [jpeg_bomb, png_bomb], ids=["jpeg", "png"])
def test_case_03_dimension_bomb_is_refused(owner: httpx.Client, bomb: object) -> None:
    assert callable(bomb)
    answer = owner.post("/detect", files={"file": ("bomb", bomb())})
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


def test_case_12_marked_values_of_requests_reach_no_log(behind: NginxSite) -> None:
    with behind.client(ATTACKER) as client:
        client.get("/api/v1/series", params={"q": MARK})
        client.get("/search", params={"subject": MARK}, headers={"User-Agent": MARK, "Referer": f"http://a/{MARK}"})
        client.post("/authorization", json={"email": f"{MARK}@example.org", "password": MARK * 3})
        client.get("/api/v1/account", headers={"auth-token": MARK})
    logs = behind.front_door.log.read_text() + (behind.front_door.log.parent / "nginx.log").read_text()
    assert "/api/v1/series" in logs
    assert MARK.lower() not in logs.lower()


def test_case_25_guessing_ends_and_the_owner_is_let_in(behind: NginxSite, owner: httpx.Client) -> None:
    wrong = {**CREDENTIALS, "password": "not the password"}
    with behind.client(ATTACKER) as client:
        statuses = Counter(client.post("/authorization", json=wrong).status_code for _ in range(40))
    assert set(statuses) == {401, 429}
    assert statuses[401] <= 20  # ten a minute for one e-mail address, and the minute may turn
    assert owner.post("/authorization", json=CREDENTIALS).status_code == 200


def test_case_26_token_without_a_signature_is_refused(behind: NginxSite, owner: httpx.Client) -> None:
    _, payload, _ = owner.headers["auth-token"].split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).rstrip(b"=").decode()
    with behind.client(ATTACKER) as client:
        for token in (f"{head}.{payload}.", f"{head}.{payload}.AAAA"):
            answer = client.get("/api/v1/account", headers={"auth-token": token})
            assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


def test_case_27_what_belongs_to_others_is_refused(behind: NginxSite, owner: httpx.Client) -> None:
    for address in ("/api/v1/accounts", "/api/v1/accounts/1", "/api/v1/audit"):
        answer = owner.get(address)
        assert (answer.status_code, answer.json()["code"]) == (403, "role_insufficient")
        with behind.client(ATTACKER) as client:
            assert client.get(address).status_code == 401


@pytest.mark.parametrize("query", ["limit=1000000000", "sort=1;drop", "nothing=1", "cursor=AAAA", "limit=1&limit=2"])
def test_case_28_filters_that_are_none_are_refused(owner: httpx.Client, query: str) -> None:
    answer = owner.get(f"/api/v1/series?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_refusals_of_nginx_are_problems_too(owner: httpx.Client) -> None:
    answer = owner.post("/authorization", content=b"x" * 100_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert answer.headers["Content-Type"] == "application/problem+json"
