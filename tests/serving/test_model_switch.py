"""Which model `/detect` answers by: the catalogue's active one, another after it was activated, the shipped without."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import torch

from braingranary.catalog import model_registry as models
from braingranary.detector.contracts.model_metadata import read_metadata, shipped_file
from braingranary.detector.model.weights import Model, assemble, pack
from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.orchestration.model_files import register_weights
from braingranary.settings import ServingSettings
from braingranary.storage import keys
from serving.detect.service import Detection
from serving.detect.weights import Registry, WeightsSource
from tests.fixtures import scans
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.members import join
from tests.serving.own_site import own_site
from tests.serving.serving_site import WAIT_S, ServingSite

pytestmark = pytest.mark.stack
SHIPPED = read_metadata(shipped_file()[0]).version
FAST = {"pool_timeout_s": WAIT_S, "ready_timeout_s": WAIT_S, "detect_processes": 1, "detect_model_check_s": 0.1}


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[ServingSite]:
    with own_site(postgres_server, object_server, numbers=range(1)) as site:
        yield site


@pytest.fixture
def site(filled: ServingSite) -> ServingSite:
    """A catalogue without a model."""
    with psycopg.connect(filled.dsn) as connection:
        connection.execute("TRUNCATE model CASCADE")
    return filled


@pytest.fixture
def source(site: ServingSite) -> WeightsSource:
    return WeightsSource(None, registry_of(site))


def registry_of(site: ServingSite) -> Registry:
    return Registry(catalog=lambda: psycopg.connect(site.dsn), store=lambda: site.store)


def other(version: str) -> Model:
    """The test's network under another name, with another hash therefore."""
    model = scans.tiny_model()
    return assemble(model.network, replace(model.metadata, version=version))


def register(site: ServingSite, model: Model) -> None:
    data = pack(model.network, model.metadata)
    with psycopg.connect(site.dsn) as connection:
        register_weights(connection, site.store, data, hashlib.sha256(data).hexdigest())


def activate(site: ServingSite, version: str) -> None:
    with psycopg.connect(site.dsn) as connection:
        models.activate(connection, version)


def test_detect_answers_by_the_active_model_and_by_the_next_one_without_restart(site: ServingSite) -> None:
    register(site, other("model-a"))
    register(site, other("model-b"))
    app = site.app(serving=ServingSettings.model_validate({**site.serving, **FAST}))
    try:
        headers, client = join(app).headers, app.test_client()

        def answering() -> str:
            data = {"file": (io.BytesIO(scans.picture(scans.slices(1)[0])), "a.png")}
            answer = client.post("/detect?details=1", data=data, headers=headers)
            assert answer.status_code == 200, answer.text
            return str(answer.get_json()["model"])

        with app.extensions["granary"].catalog(wait_s=PATIENCE_S):
            pass  # connected: the catalogue is there before it is asked for the model
        app.extensions["granary"].detection.ask(PATIENCE_S)
        assert answering() == "model-a"
        activate(site, "model-b")
        until(lambda: answering() == "model-b", "the active model does not take over")
        activate(site, "model-a")
        until(lambda: answering() == "model-a", "the model before does not come back")
    finally:
        app.extensions["granary"].close()


def test_active_model_that_no_process_can_load_leaves_the_one_before_and_at_the_start_the_shipped(
    site: ServingSite, source: WeightsSource
) -> None:
    broken = other("broken")
    with torch.no_grad():
        next(iter(broken.network.parameters())).fill_(float("nan"))
    register(site, broken)
    detection = Detection(ServingSettings.model_validate(FAST), source)
    try:
        detection.open()
        until(lambda: detection.model == SHIPPED, "the shipped model does not stand in")
        register(site, other("sound"))
        activate(site, "sound")
        until(lambda: detection.model == "sound", "the active model does not take over")
        activate(site, "broken")
        with pytest.raises(AssertionError, match="as it should be"):
            until(lambda: detection.model != "sound", "as it should be", patience_s=1)
    finally:
        detection.close()


def test_weights_are_those_of_the_active_model_and_the_shipped_where_there_is_none(
    site: ServingSite, source: WeightsSource
) -> None:
    shipped = source.wanted(None)
    assert (shipped.version, shipped.origin) == (SHIPPED, "shipped")
    assert source.wanted(shipped) is shipped
    register(site, other("model-a"))
    active = source.wanted(shipped)
    assert (active.version, active.origin) == ("model-a", "registry")
    assert source.wanted(active) is active


def test_weights_with_the_catalogue_away_are_those_before_or_the_shipped(
    site: ServingSite, capsys: pytest.CaptureFixture[str]
) -> None:
    def away() -> psycopg.Connection:
        raise TransientFailure(Code.CATALOG_UNAVAILABLE, "away")

    source = WeightsSource(None, Registry(catalog=away, store=lambda: site.store))
    shipped = source.wanted(None)
    assert shipped.version == SHIPPED
    assert source.wanted(replace(shipped, version="before")).version == "before"
    told = capsys.readouterr()
    assert (told.out + told.err).count("active_model_not_to_be_had") == 1  # once, not at every question


@pytest.mark.parametrize("swap", ["other bytes", "nothing", "another version"])
def test_weights_that_are_not_the_pinned_ones_are_refused(site: ServingSite, source: WeightsSource, swap: str) -> None:
    register(site, other("model-a"))
    before = source.wanted(None)
    following = other("model-b")
    register(site, following)
    activate(site, "model-b")
    key = keys.weights("model-b", following.sha256)
    if swap == "other bytes":
        site.store.put(key, before.data)
    elif swap == "nothing":
        site.store.delete(key)
    else:
        with psycopg.connect(site.dsn) as connection:
            connection.execute("UPDATE model SET version = 'model-c' WHERE version = 'model-b'")
    assert source.wanted(before) is before
    assert source.wanted(None).version == SHIPPED


def test_weights_of_the_settings_decide_alone(site: ServingSite, tmp_path: Path) -> None:
    register(site, other("model-a"))
    source = WeightsSource(scans.shipped(tmp_path), registry_of(site))
    assert (source.may_change, source.wanted(None).version) == (False, "test-1")
    with pytest.raises(RejectedInput):
        WeightsSource(tmp_path / "nothing", registry_of(site)).wanted(None)
