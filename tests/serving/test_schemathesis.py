"""Every route against its own description: generated requests, sound and unsound, get answers that it foretells.

No server error, no status, content type or body that is not described, unsound parameters refused and sound ones
taken. Requests are made in this process, by a fixed seed, so that the same code gives the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
import schemathesis
from flask_openapi3.openapi import OpenAPI
from hypothesis import HealthCheck, Phase, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error, positive_data_acceptance
from schemathesis.config import SchemathesisConfig

from braingranary.catalog.schema.row_keys import pack_id
from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.settings import StoreSettings
from serving.app import create_app
from tests.serving.callers import Caller, Headers
from tests.serving.own_site import own_site
from tests.serving.serving_site import ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
EXAMPLES = 3
"""Random requests an operation, beside those that cover its parameters one by one."""
KNOWING = settings(
    max_examples=EXAMPLES,
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
Case: TypeAlias = "schemathesis.Case[Any]"
KNOWN = {
    "uid": synthetic.uid(1),
    "slice_id": f"{pack_id(synthetic.uid(1), 0, 'axial')}-2",
}


class ReplaceableApp:
    """Where requests go: an application without a database, which can describe itself, until a fixture sets another."""

    def __init__(self) -> None:
        nowhere = StoreSettings(endpoint_url="http://127.0.0.1:1", access_key="none", secret_key=SecretStr("none"))
        site = ServingSite(dsn="postgresql://nobody@127.0.0.1:1/none", store=None, store_settings=nowhere, jpegs={})  # type: ignore[arg-type]
        self.app = create_app(**site.settings)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.app(environ, start_response)

    def described(self, *, coverage: bool) -> Any:
        """Operations to make requests of, with or without those that cover every parameter."""
        config = {
            "seed": 1,
            "generation": {"deterministic": True, "with-security-parameters": False, "no-shrink": True},
            "analysis": {"constants": {"enabled": False}},  # the same requests whatever words our code holds
            "phases": {"coverage": {"enabled": coverage}, "stateful": {"enabled": False}},
        }
        return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", self, config=SchemathesisConfig.from_dict(config))


replaceable = ReplaceableApp()
known, strange = replaceable.described(coverage=True), replaceable.described(coverage=False)


@pytest.fixture(scope="module")
def app(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[OpenAPI]:
    """A front door of its own: some requests make accounts."""
    with own_site(postgres_server, object_server) as site:
        app = site.app()
        replaceable.app = app
        yield app
        app.extensions["granary"].close()


@pytest.fixture(scope="module")
def admin(app: OpenAPI) -> Headers:
    return Headers(app, Caller.ADMIN)


@known.parametrize()  # type: ignore[untyped-decorator]
@KNOWING
def test_every_route_answers_an_administrator_as_described(case: Case, admin: Headers) -> None:
    sensible(case)
    case.call_and_validate(headers=admin.fresh(), excluded_checks=beyond(case))


@strange.parametrize()  # type: ignore[untyped-decorator]
@pytest.mark.usefixtures("app")
@settings(KNOWING, max_examples=1)
def test_every_route_answers_a_stranger_as_described(case: Case) -> None:
    sensible(case)
    case.call_and_validate(excluded_checks=beyond(case))


def beyond(case: Case) -> list[Any]:
    """Checks that an operation cannot pass: of a made-up address, password, version or change, and without a model."""
    if case.method in {"PUT", "PATCH"} or case.path.endswith(("/authorization", "/removal", "/acceptance")):
        return [positive_data_acceptance]
    return [not_a_server_error] if case.path.endswith("/detect") else []


def sensible(case: Case) -> None:
    """Give a sound request what no schema can say: ids that exist, no made-up cursor, filters or a name, not both."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    case.path_parameters.update({name: value for name, value in KNOWN.items() if name in case.path_parameters})
    case.query.pop("cursor", None)
    if "query" in case.query:
        case.query = {"query": case.query["query"]}
