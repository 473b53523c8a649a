"""Steps of the DAG `detector_training`: check the form before hours are spent, and register what was trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from airflow.configuration import get_airflow_home

from braingranary.errors import Code, ConfigurationError
from braingranary.orchestration.connections import store_settings
from braingranary.orchestration.model_files import FIGURES, activate, read_figures, read_pinned, register_weights
from braingranary.orchestration.steps.connection import catalog
from braingranary.orchestration.steps.context import current_run
from braingranary.storage.store import ObjectStore

WEIGHTS: Final = "all"
"""Name under which training leaves the model that has seen every source."""
CARD: Final = "model-card.md"
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def prepare() -> dict[str, list[str]]:
    """The arguments by command; raises ConfigurationError where the form is wrong."""
    params = current_run().params
    work = _work(params)
    data = Path(str(params.get("data") or ""))
    if not params.get("data") or not data.is_dir():
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "give the folder of the data, as this worker sees it")
    work.mkdir(parents=True, exist_ok=True)
    threads = ["--threads", str(int(params.get("threads") or 0))]
    longer = ["--longer", str(int(params.get("longer") or 1))]
    judged = ["--folds", str(int(params.get("folds") or 0)), *(["--new-site"] if params.get("new_site") else [])]
    force = ["--force"] if params.get("force") else []
    version = ["--version", str(params["version"])]
    return {
        "train": [*threads, "train", str(data), str(work), *version, *longer, *force],
        "evaluate": [*threads, "evaluate", str(data), str(work), "--card", str(work / CARD), *longer, *judged],
    }


def register() -> dict[str, Any]:
    """Register what was trained, with its figures; active at once only where asked, or where no model is."""
    params = current_run().params
    work = _work(params)
    data, sha256 = read_pinned(work / f"{WEIGHTS}.safetensors")
    store = ObjectStore.from_settings(store_settings())
    with catalog("granary-train") as connection:
        record = register_weights(connection, store, data, sha256, figures=read_figures(work / FIGURES))
        if params.get("activate"):
            record = activate(connection, store, record.version)
    return {"version": record.version, "sha256": record.sha256, "active": record.active}


def _work(params: Mapping[str, Any]) -> Path:
    """Where checkpoints stand: named by the version, so that a run that is run again goes on where it was."""
    version = str(params.get("version") or "")
    if not _VERSION.match(version):
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "give a version: letters, digits, dots and dashes")
    return Path(str(params["work"])) if params.get("work") else Path(get_airflow_home()) / "detector" / version
