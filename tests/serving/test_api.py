"""The blueprint of all resources, in a small application of its own: what views are given, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response, url_for
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field

from serving.http import problems
from serving.http.blueprints import Api


class Shelf(BaseModel):
    number: int = Field(ge=1)


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    colour: str | None = Field(default=None, description="colour of the cover", max_length=5)
    limit: int = Field(default=10, le=50)


class Book(BaseModel):
    title: str


class Reader(BaseModel):
    name: str = Field(alias="x-reader")


def told(**values: Any) -> Response:
    return Response(json.dumps(values), content_type="application/json")


def marked(view: Any) -> Any:
    view.__mark__ = "kept"
    return view


def library() -> Api:
    """One small resource."""
    api = Api("library", __name__, url_prefix="/library")

    @api.get("/shelves/<number>")
    @api.get("/boards/<number>")
    @marked
    def shelf(path: Shelf, query: Wanted) -> Response:
        return told(path=path.model_dump(), query=query.model_dump())

    @api.get("/shelves")
    def shelves(query: Wanted) -> Response:
        return told(query=query.model_dump())

    @api.delete("/shelves/<number>")
    def cleared(path: Shelf) -> Response:
        return told(path=path.model_dump())

    @api.get("/open")
    def is_open() -> Response:
        return told(open=True)

    @api.post("/shelves/<number>/books")
    def added(path: Shelf, body: Book) -> Response:
        return told(path=path.model_dump(), body=body.model_dump())

    @api.get("/me")
    def me(header: Reader) -> Response:
        return told(name=header.name)

    return api


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    app = OpenAPI(
        "library", validation_error_status=400, validation_error_callback=problems.invalid, doc_prefix="/described"
    )
    problems.register(app)
    app.register_api(library())
    with app.test_client() as client:
        yield client


def refused(client: FlaskClient, address: str) -> dict[str, str]:
    """What is wrong with each parameter of a request that is answered 400."""
    answer = client.get(address)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json"), address
    assert answer.get_json()["code"] == "request_invalid"
    return {error["name"]: error["reason"] for error in answer.get_json()["errors"]}


def test_view_is_given_what_came_as_the_models_hold_it(client: FlaskClient) -> None:
    answer = client.get("/library/shelves/7?colour=red&limit=3")
    assert answer.get_json() == {"path": {"number": 7}, "query": {"colour": "red", "limit": 3}}
    assert client.get("/library/shelves?limit=4").get_json() == {"query": {"colour": None, "limit": 4}}
    assert client.delete("/library/shelves/8").get_json() == {"path": {"number": 8}}


@pytest.mark.parametrize("asked", ["", "?", "?colour=&limit=10"])
def test_query_that_says_nothing_leaves_the_defaults(client: FlaskClient, asked: str) -> None:
    expected = "" if "colour" in asked else None
    assert client.get(f"/library/shelves{asked}").get_json() == {"query": {"colour": expected, "limit": 10}}


def test_view_without_parameters_is_called_as_it_is(client: FlaskClient) -> None:
    assert client.get("/library/open?anything=1").get_json() == {"open": True}


def test_request_that_no_model_takes_is_refused_by_the_names_of_its_parameters(client: FlaskClient) -> None:
    assert refused(client, "/library/shelves/0").keys() == {"number"}
    assert refused(client, "/library/shelves/many?limit=3").keys() == {"number"}
    assert refused(client, "/library/shelves?limit=51&colour=yellow").keys() == {"limit", "colour"}
    assert refused(client, "/library/shelves?size=1") == {"size": "unknown parameter"}
    secret = client.get("/library/shelves?colour=nobody-sees-this")
    assert "nobody-sees-this" not in secret.text


def test_view_is_not_called_for_a_request_that_is_refused(client: FlaskClient) -> None:
    called: list[str] = []
    api = Api("calls", __name__)

    @api.get("/calls")
    def calls(query: Wanted) -> Response:
        called.append(query.colour or "")
        return told()

    client.application.register_api(api)  # type: ignore[attr-defined]
    assert refused(client, "/calls?limit=x")
    assert client.get("/calls?colour=blue").status_code == 200
    assert called == ["blue"]


def test_views_that_take_more_are_checked_too(client: FlaskClient) -> None:
    added = client.post("/library/shelves/2/books", json={"title": "Anatomy"})
    assert added.get_json() == {"path": {"number": 2}, "body": {"title": "Anatomy"}}
    for path, body in ((2, {}), (0, {"title": "Anatomy"})):
        assert client.post(f"/library/shelves/{path}/books", json=body).status_code == 400
    assert client.get("/library/me", headers={"X-Reader": "Ada"}).get_json() == {"name": "Ada"}
    assert client.get("/library/me").status_code == 400


def test_routes_to_one_view_share_what_is_called_and_its_marks(client: FlaskClient) -> None:
    assert vars(client.application.view_functions["library.shelf"])["__mark__"] == "kept"
    assert client.get("/library/boards/7").get_json() == client.get("/library/shelves/7").get_json()
    with client.application.test_request_context():
        assert url_for("library.shelf", number=3) in {"/library/boards/3", "/library/shelves/3"}


def test_description_names_the_parameters_of_the_models(client: FlaskClient) -> None:
    paths = client.get("/described/openapi.json").get_json()["paths"]
    parameters = paths["/library/shelves/{number}"]["get"]["parameters"]
    assert {(one["in"], one["name"]) for one in parameters} == {
        ("path", "number"),
        ("query", "colour"),
        ("query", "limit"),
    }
    assert "colour of the cover" in {one.get("description") for one in parameters}
