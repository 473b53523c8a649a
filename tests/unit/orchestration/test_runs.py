"""Run keys: the same for the same DAG run, different for others, and safe in an object key."""

from __future__ import annotations

import pytest

from braingranary.orchestration.runs import run_key
from braingranary.storage import keys

SCHEDULED = "scheduled__2026-11-22T02:00:00+00:00"


def test_run_key_same_run_gives_the_same_readable_key() -> None:
    key = run_key("tcia_ingest", SCHEDULED)
    assert key == "scheduled-2026-11-22T02-00-00+00-00-5afae39b6b50"
    assert run_key("tcia_ingest", SCHEDULED) == key


def test_run_key_other_dag_or_run_gives_another_key() -> None:
    runs = [("a", "b"), ("a", "c"), ("b", "b"), ("a", "b "), ("ab", ""), ("a", "b/"), ("a", "b?")]
    assert len({run_key(*run) for run in runs}) == len(runs)


@pytest.mark.parametrize("run_id", ["../../etc", "a/b", "", "\x00", "é" * 300, "x" * 1000, ".", "demo run", "~"])
def test_run_key_hostile_run_id_stays_one_harmless_segment(run_id: str) -> None:
    key = run_key("dag", run_id)
    assert keys.segment(key) == key
    assert keys.run_object("ingest", key, "manifest.json") == f"runs/ingest/{key}/manifest.json"
