"""A refusal at any address, known or not, is a page for a browser and a problem document for a program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from braingranary.settings import LimitsSettings
from tests.serving.callers import path_of, routes
from tests.serving.serving_site import ServingSite

pytestmark = pytest.mark.stack

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PROGRAMS = ("*/*", "application/json", "application/problem+json")
UNKNOWN = (
    "/nothing",
    "/nothing/at/all.html",
    "/api",
    "/api/v1/nothing",
    "/api/v2/series",
    "/static/nothing",
    "/static/../app.py",
    "/series/",
    "/series/9.9.9",
    "/Images/",
    "/%00",
    "/%e2%98%83",
    "/a%0d%0ab",
    "/" + "long" * 500,
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def app(site: ServingSite) -> Iterator[OpenAPI]:
    # Hundreds of requests of one address: none of them may be refused for their number.
    limits = dict.fromkeys(("general", "login", "login_email", "download", "detect", "health"), "")
    app = site.app(limits=LimitsSettings.model_validate({"store": "memory://", **limits}))
    yield app
    app.extensions["granary"].close()


def refusal(client: FlaskClient, method: str, address: str) -> int | None:
    """The status where the address refuses, in the right form for everybody; None where it does not."""
    page = client.open(address, method=method, headers={"Accept": BROWSER})
    page.close()
    if page.status_code < 400:
        return None
    where = f"{method} {address[:80]}"
    assert page.mimetype == "text/html", where
    assert page.text.count("<h1>") == 1, where
    assert "Accept" in page.headers["Vary"], where
    for accept in PROGRAMS:
        program = client.open(address, method=method, headers={"Accept": accept})
        assert program.mimetype == "application/problem+json", (where, accept)
        problem = program.get_json()
        assert (program.status_code, problem["status"]) == (page.status_code, page.status_code), (where, accept)
        assert problem["code"], where
    return page.status_code


@pytest.mark.parametrize("address", UNKNOWN)
@pytest.mark.parametrize("method", METHODS)
def test_unknown_address_is_refused_in_the_form_of_its_caller(app: OpenAPI, method: str, address: str) -> None:
    assert refusal(app.test_client(), method, address) in {404, 405}


@pytest.mark.parametrize("value", ["1", "9.9.9", "nothing", "withtumor_ax"])
def test_every_route_refuses_in_the_form_of_its_caller(app: OpenAPI, value: str) -> None:
    """Whatever a route is asked by whatever method, with a value for its path that it knows or does not know."""
    client = app.test_client()
    statuses = [
        refusal(client, method, address)
        for address in sorted({path_of(app, route, value) for route in routes(app)})
        for method in METHODS
    ]
    assert {401, 404, 405} <= set(statuses)
    assert None in statuses


def test_page_of_a_refusal_leads_on_and_tells_the_allowed_methods(app: OpenAPI) -> None:
    client = app.test_client()
    missing = client.get("/nothing", headers={"Accept": BROWSER})
    assert "<h1>Not Found</h1>" in missing.text
    assert "<p>The requested URL was not found on the server. If you" in missing.text
    assert "try again.</p>" in missing.text
    assert 'href="/search"' in missing.text
    assert "GET" in client.post("/api/v1/series", headers={"Accept": BROWSER}).headers["Allow"]
