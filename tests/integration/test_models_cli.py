"""`granary model` on a real registry: register a file with its pin, list, activate, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from braingranary.catalog.schema.migrate import migrate
from braingranary.cli.main import main
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.fixtures import score_set, tiny_detector

pytestmark = pytest.mark.stack
IDS = "SELECT architecture, preprocessing, license FROM model"


@pytest.fixture
def environment(postgres_dsn: str, s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(postgres_dsn)
    assert s3_settings.access_key is not None
    assert s3_settings.secret_key is not None
    assert s3_settings.endpoint_url is not None
    values = {
        "CATALOG_DSN": postgres_dsn,
        "S3_BUCKET": s3_settings.bucket,
        "S3_ENDPOINT_URL": s3_settings.endpoint_url,
        "S3_ACCESS_KEY": s3_settings.access_key,
        "S3_SECRET_KEY": s3_settings.secret_key.get_secret_value(),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"GRANARY_{name}", value)


def granary(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["model", *arguments])


def trained(folder: Path, version: str, *, seed: int) -> Path:
    """What a training leaves in its work folder."""
    folder.mkdir()
    data, sha256 = score_set.weights(version, seed=seed)
    (folder / "all.safetensors").write_bytes(data)
    (folder / "all.sha256").write_text(sha256)
    (folder / "evaluation.json").write_text(json.dumps({"version": version}))
    return folder / "all.safetensors"


@pytest.mark.usefixtures("environment")
def test_model_register_list_activate_and_refuse(tmp_path: Path, object_store: ObjectStore) -> None:
    assert granary("list").output == "no model is registered\n"
    first, second = (trained(tmp_path / name, name, seed=seed) for seed, name in enumerate(("tiny-1", "tiny-2")))
    assert "active" in granary("register", str(first)).output
    assert granary("register", str(first)).exit_code == 0
    assert "passive" in granary("register", str(second)).output
    assert granary("activate", "tiny-2").output.split()[:2] == ["tiny-2", "active"]
    states = {line.split()[0]: line.split()[1] for line in granary("list").output.splitlines()}
    assert states == {"tiny-1": "passive", "tiny-2": "active"}
    stored = [item.key for item in object_store.list("models/")]
    assert [sum(key.endswith(end) for key in stored) for end in (".safetensors", ".figures.json")] == [2, 2]
    assert json.loads(object_store.get("models/active.json"))["version"] == "tiny-2"

    second.with_suffix(".sha256").write_text("0" * 64)
    swapped = granary("register", str(second))
    assert (swapped.exit_code, "pinned sha256" in swapped.output) == (1, True)
    assert granary("activate", "tiny-9").exit_code == 1


@pytest.mark.usefixtures("environment")
def test_model_register_again_fills_in_ids_that_an_older_row_lacks(tmp_path: Path, postgres_dsn: str) -> None:
    weights = trained(tmp_path / "tiny-1", "tiny-1", seed=1)
    assert granary("register", str(weights)).exit_code == 0
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        wanted = ("encoder-decoder-1", "head-box-1", tiny_detector.LICENSE)
        assert connection.execute(IDS).fetchall() == [wanted]
        connection.execute("UPDATE model SET architecture = NULL, preprocessing = NULL, license = NULL")
        assert granary("register", str(weights)).exit_code == 0
        assert connection.execute(IDS).fetchall() == [wanted]
