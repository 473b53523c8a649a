"""The description holds what the code holds: policies, problems, parameters and models, each told once."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections import defaultdict
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, SecretStr

import serving
from braingranary.settings import StoreSettings
from serving.api.series import MEDIA_TYPES
from serving.app import create_app
from serving.auth.policies import Access, policy_of
from serving.http.openapi import TAG_ORDER
from tests.serving.serving_site import ServingSite


@pytest.fixture(scope="module")
def app() -> OpenAPI:
    """A front door without database and store behind it: the description needs neither database nor store."""
    nowhere = StoreSettings(endpoint_url="http://127.0.0.1:1", access_key="none", secret_key=SecretStr("none"))
    site = ServingSite(dsn="postgresql://nobody@127.0.0.1:1/none", store=None, store_settings=nowhere, jpegs={})  # type: ignore[arg-type]
    return create_app(**site.settings)


@pytest.fixture(scope="module")
def spec(app: OpenAPI) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/api/v1/openapi.json").get_json()
    return found


def operations(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, item) for path, methods in spec["paths"].items() for method, item in methods.items()]


def test_description_is_sent_once(app: OpenAPI) -> None:
    client = app.test_client()
    first = client.get("/api/v1/openapi.json")
    assert first.get_json()["openapi"] == "3.1.0"
    again = client.get("/api/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_operations_need_what_their_policies_say(app: OpenAPI, spec: dict[str, Any]) -> None:
    endpoints = {name.replace(".", "_"): name for name in app.view_functions}
    for path, method, item in operations(spec):
        policy = policy_of(app.view_functions[endpoints[item["operationId"]]])
        assert policy is not None, path
        assert ({} in item["security"]) == (policy.least is Access.PUBLIC), (method, path)
        assert set(spec["components"]["securitySchemes"]) == {name for way in item["security"] for name in way}
        assert ("403" in item["responses"]) or policy.least is Access.PUBLIC, (method, path)


def test_operations_have_names_of_their_own(spec: dict[str, Any]) -> None:
    names = [item["operationId"] for _, _, item in operations(spec)]
    assert len(set(names)) == len(names) > 40


def test_every_tag_is_told_and_has_its_place(spec: dict[str, Any]) -> None:
    told = {tag["name"]: tag.get("description") for tag in spec["tags"]}
    assert all(told.values()), told
    assert {name for _, _, item in operations(spec) for name in item["tags"]} == set(told) == set(TAG_ORDER)


def test_every_reference_leads_somewhere(spec: dict[str, Any]) -> None:
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(spec))):
        place: Any = spec
        for part in reference.split("/"):
            place = place[part]


def test_problems_are_told_as_problems(spec: dict[str, Any]) -> None:
    for path, method, item in operations(spec):
        for status, told in item["responses"].items():
            if int(status) >= 400 and (path, status) != ("/readyz", "503"):
                assert told == {"$ref": f"#/components/responses/Problem{status}"}, (method, path, status)
    for told in spec["components"]["responses"].values():
        assert set(told["content"]) == {"application/problem+json"}


def test_parameters_of_an_address_are_never_null(spec: dict[str, Any]) -> None:
    for path, _, item in operations(spec):
        for parameter in item.get("parameters", ()):
            if parameter["in"] == "query":
                assert '"null"' not in json.dumps(parameter), (path, parameter["name"])
                assert "example" not in parameter or parameter["required"], (path, parameter["name"])


def test_models_of_answers_share_no_name() -> None:
    """Two models of one name would silently stand for each other in the description."""
    homes = defaultdict(set)
    for module in pkgutil.walk_packages(serving.__path__, "serving."):
        if module.name.endswith((".conf", "wsgi")):
            continue
        for name, thing in vars(importlib.import_module(module.name)).items():
            if isinstance(thing, type) and issubclass(thing, BaseModel) and thing.__module__.startswith("serving."):
                homes[name].add(f"{thing.__module__}.{thing.__qualname__}")
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_docs_page_keeps_the_policy_and_unknown_files_are_refused(app: OpenAPI) -> None:
    client = app.test_client()
    page = client.get("/api/v1/docs")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*src=)", page.text)
    for link in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert client.get(link).status_code == 200 or link == "/", link
    assert client.get("/api/v1/docs/..%2f__init__.py").status_code in {400, 404}
    assert client.get("/api/v1/docs/swagger.svg").status_code == 400


def test_list_of_series_tells_its_tables_and_filters_that_may_be_repeated(spec: dict[str, Any]) -> None:
    operation = spec["paths"]["/api/v1/series"]["get"]
    assert set(operation["responses"]["200"]["content"]) == set(MEDIA_TYPES.values())
    plane = next(item for item in operation["parameters"] if item["name"] == "plane")
    assert (plane["schema"]["type"], plane["schema"]["items"]["enum"][0]) == ("array", "axial")
