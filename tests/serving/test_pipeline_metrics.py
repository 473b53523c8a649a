"""Gauges of the pipeline at /metrics: what catalogue and store say, kept for a while, absent where unreadable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.settings import CatalogSettings, ServingSettings, StoreSettings
from braingranary.storage import keys
from serving.app import create_app
from serving.http import pipeline_metrics
from tests.serving.own_site import own_site
from tests.serving.serving_site import ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

NOWHERE = "127.0.0.1:9"  # discard: nobody listens there


@contextmanager
def front_door(site: ServingSite, **settings: Any) -> Iterator[FlaskClient]:
    serving = ServingSettings.model_validate({**site.serving, "metrics_networks": ["127.0.0.0/8"]})
    app = create_app(**{**site.settings, "serving": serving, **settings})
    try:
        yield app.test_client()
    finally:
        app.extensions["granary"].close()


def gauges(client: FlaskClient) -> dict[str, float]:
    """The pipeline's lines of /metrics."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "granary_http_request_seconds" in answer.text
    found = [
        re.match(r"(granary_(?:newest|rejected|wanted|pending)\S+) (\S+)$", line) for line in answer.text.split("\n")
    ]
    return {match[1]: float(match[2]) for match in found if match}


def test_gauges_tell_what_the_pipeline_did_and_has_to_do(
    postgres_server: PostgresServer, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_metrics, "_WAIT_S", 60.0)
    with own_site(postgres_server, object_server) as site:
        site.store.put(keys.wanted("tcia", "A", "1.2.3"), b"{}")
        synthetic.publish(site.store, "not-loaded", synthetic.tables([7]))
        with psycopg.connect(site.dsn) as connection:
            connection.execute("UPDATE ingest_run SET published_at = now() - interval '3 hours'")
        with front_door(site) as client:
            told = gauges(client)
            age_s = told.pop('granary_newest_run_age_seconds{step="normalize"}')
            assert 3 * 3600 <= age_s < 3 * 3600 + 600
            assert {name: value for name, value in told.items() if "rejected" not in name} == {
                'granary_wanted_series{archive="tcia"}': 1.0,
                'granary_pending_runs{step="normalize"}': 1.0,
                'granary_pending_runs{step="score"}': 0.0,
            }
            site.store.put(keys.wanted("tcia", "A", "1.2.4"), b"{}")
            assert gauges(client)['granary_wanted_series{archive="tcia"}'] == 1.0  # kept for a while


def test_gauges_that_cannot_be_read_are_absent_and_the_other_counts_come(
    site: ServingSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    away: dict[str, Any] = {
        "catalog": CatalogSettings.model_validate({"dsn": f"postgresql://granary:x@{NOWHERE}/x"}),
        "store": StoreSettings(endpoint_url=f"http://{NOWHERE}", access_key="a", secret_key=SecretStr("x")),
    }
    monkeypatch.setattr(pipeline_metrics, "_WAIT_S", 0.2)  # nobody waits for a store that does not answer
    with front_door(site, **away) as client:
        assert gauges(client) == {}
    monkeypatch.setattr(pipeline_metrics, "_WAIT_S", 60.0)
    with front_door(site, store=away["store"]) as client:
        told = gauges(client)
    assert {name.split("{")[0] for name in told} <= {"granary_newest_run_age_seconds", "granary_rejected_series"}
    assert 'granary_newest_run_age_seconds{step="normalize"}' in told
