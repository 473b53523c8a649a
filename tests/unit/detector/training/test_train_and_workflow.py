from __future__ import annotations

import csv
import json
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from braingranary.detector.__main__ import main
from braingranary.detector.data.labelled import LabelledSlice, read_all, read_lgg
from braingranary.detector.evaluation.evaluate import DeclineReport
from braingranary.detector.evaluation.model_card import Evaluation, card, failure_gallery
from braingranary.detector.model.weights import load
from braingranary.detector.training import workflow
from braingranary.detector.training.cache import TrainingCache, build_cache
from braingranary.detector.training.train import Plan, train
from braingranary.detector.training.train_gate import GatePlan
from braingranary.errors import Code, ConfigurationError, RejectedInput
from tests.fixtures.patience import PATIENCE_S
from tests.unit.detector.heads import head, write_lgg

TINY = Plan(seed=3, epochs=2, steps_an_epoch=3, batch_size=4, widths=(8, 16, 16), warmup_steps=2)
TINY_GATE = GatePlan(seed=3, brains=8, negatives=8, steps=3, batch_size=4)
PATIENTS = {"p1": "train", "p2": "train", "p3": "val", "p4": "val", "p5": "test", "p6": "test"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_lgg(root, PATIENTS)
    return root


@pytest.fixture(scope="module")
def slices(folder: Path) -> tuple[LabelledSlice, ...]:
    return tuple(read_lgg(folder))


@pytest.fixture(scope="module")
def cache(slices: tuple[LabelledSlice, ...]) -> TrainingCache:
    return build_cache(slices)


def _same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_plan_rate_warms_up_and_decays() -> None:
    plan = Plan(epochs=2, steps_an_epoch=100, warmup_steps=10, learning_rate=1.0)
    rates = [plan.rate_at(step) for step in range(plan.steps)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.02
    assert all(a >= b for a, b in pairwise(rates[11:]))


def test_train_killed_and_resumed_equals_one_run(cache: TrainingCache, tmp_path: Path) -> None:
    whole = train(cache, TINY, tmp_path / "whole")

    def die(step: int, _: int) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(cache, TINY, tmp_path / "cut", progress=die)
    half = train(cache, TINY, tmp_path / "cut", stop_after=1)
    assert not _same(whole, half)
    resumed = train(cache, TINY, tmp_path / "cut", loaders=2)
    assert _same(whole, resumed)
    with (tmp_path / "cut" / "curves.csv").open() as lines:
        assert [row["epoch"] for row in csv.DictReader(lines)] == ["1", "2"]


@pytest.mark.slow
def test_train_learns_something(cache: TrainingCache, tmp_path: Path) -> None:
    plan = replace(TINY, epochs=2, steps_an_epoch=15, learning_rate=3e-3, batch_size=8)
    train(cache, plan, tmp_path)
    with (tmp_path / "curves.csv").open() as lines:
        first, last = (float(row["total"]) for row in csv.DictReader(lines))
    assert last < 0.9 * first


def test_train_other_plan_or_data_in_the_same_folder_is_rejected(cache: TrainingCache, tmp_path: Path) -> None:
    train(cache, TINY, tmp_path)
    for plan, data in ((replace(TINY, seed=4), cache), (TINY, cache.where(cache.splits != "test"))):
        with pytest.raises(RejectedInput) as caught:
            train(data, plan, tmp_path)
        assert caught.value.code is Code.TRAINING_DATA_INVALID


def test_train_waits_while_the_pause_file_exists(
    cache: TrainingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("braingranary.detector.training.train.PAUSE_CHECK_SECONDS", 0.01)
    pause = tmp_path / "pause"
    pause.touch()
    steps: list[int] = []
    worker = threading.Thread(
        target=train,
        args=(cache, TINY, tmp_path / "work"),
        kwargs={"pause_file": pause, "progress": lambda step, _: steps.append(step)},
    )
    worker.start()
    time.sleep(0.3)
    assert not steps
    pause.unlink()
    worker.join(timeout=PATIENCE_S)
    assert steps[-1] == TINY.steps


def test_what_ships_sees_all_and_its_judge_one_hospital_for_as_long() -> None:
    sources = np.array(["lgg", "lgg", "ixi", "brain_tumor_progression"])
    sites = np.array(["DU", "HT", "ixi", "brain_tumor_progression"])
    assert workflow.ONE_HOSPITAL.includes(sources, sites).tolist() == [True, False, True, False]
    assert workflow.ALL.includes(sources, sites).tolist() == [True] * 4
    longer = workflow.longer(workflow.ALL, 3).plan.steps
    assert workflow.ONE_HOSPITAL.plan.steps == workflow.FOLD_PLAN.steps == workflow.ALL.plan.steps == longer // 3


def test_fold_of_patients_covers_every_tumor_patient_once(cache: TrainingCache) -> None:
    folds = workflow.fold_of_patients(cache, 3)
    assert set(folds) == set(PATIENTS)
    assert sorted(folds.values()) == [0, 0, 1, 1, 2, 2]


@pytest.mark.slow
def test_stage_trains_calibrates_and_is_judged_on_patients_it_never_saw(
    slices: tuple[LabelledSlice, ...], cache: TrainingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("braingranary.detector.evaluation.metrics.RESAMPLES", 20)
    stage = replace(workflow.ALL, plan=TINY, gate=TINY_GATE)
    seen: list[int] = []
    network = workflow.run_stage(cache, stage, tmp_path, progress=lambda _, step, __: seen.append(step))
    assert seen[-1] == TINY.steps
    model = workflow.finish(network, slices, stage, tmp_path, version="tiny", data_sha256=cache.sha256())
    reports = workflow.judge_test(model, slices)
    assert [(r.source, r.contrast) for r in reports] == [("lgg", "flair"), ("lgg", "t1"), ("lgg", "t1c")]
    assert reports[0].auc.patients == 2
    assert reports[0].auc.count == 12
    assert np.isfinite(reports[0].baseline_auc.value)
    site = workflow.judge_new_site(model, slices)
    assert site[0].auc.patients == 3  # the patients of the other hospital, whatever their split

    evaluation = Evaluation(
        version="tiny",
        sha256=model.sha256,
        data_sha256=cache.sha256(),
        test=reports,
        new_site=site,
        cross_validated=(),
        declines=(DeclineReport(kind="noise", declined=0.5, count=2, passed=("one",)),),
        audits=(),
    )
    text = card(evaluation, model)
    assert model.sha256 in text
    assert "not a medical device" in text
    assert "| noise | 2 | 0.500 | one |" in text
    assert "not measured" in text
    assert "NaN" not in evaluation.as_json()
    gallery = failure_gallery(model, [head(seed=n) for n in range(3)])
    assert gallery.shape == (400, 1200, 3)


@pytest.mark.slow
def test_cross_validate_judges_every_patient_once(
    slices: tuple[LabelledSlice, ...], cache: TrainingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("braingranary.detector.evaluation.metrics.RESAMPLES", 20)
    plan = replace(TINY, epochs=1, steps_an_epoch=1)
    reports = workflow.cross_validate(cache, slices, tmp_path, plan=plan, gate_plan=TINY_GATE, folds=2)
    assert {r.auc.patients for r in reports} == {6}
    assert [r.auc.count for r in reports] == [36, 36, 30]


@pytest.mark.slow
def test_command_line_trains_and_evaluates(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL", "ONE_HOSPITAL"):
        stage = replace(getattr(workflow, name), plan=replace(TINY, epochs=1), gate=TINY_GATE)
        monkeypatch.setattr(workflow, name, stage)
    monkeypatch.setattr(workflow, "AUDIT_BATCHES", 4)
    monkeypatch.setattr("braingranary.detector.evaluation.metrics.RESAMPLES", 20)
    monkeypatch.setattr("braingranary.detector.evaluation.evaluate.PROCEDURAL_COUNT", 2)
    work = tmp_path / "work"
    runner = CliRunner()
    arguments = ["train", str(folder), str(work), "--version", "tiny-1", "--force"]
    result = runner.invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    model = load(work / "all.safetensors", (work / "all.sha256").read_text())
    assert model.metadata.version == "tiny-1"
    assert not (work / "one_hospital").exists()
    arguments = ["evaluate", str(folder), str(work), "--new-site", "--card", str(tmp_path / "card.md")]
    result = runner.invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert (work / "one_hospital" / "checkpoint.pt").is_file()
    figures = json.loads((work / "evaluation.json").read_text())
    assert figures["sha256"] == model.sha256
    assert figures["new_site"][0]["auc"]["patients"] == 3
    assert not figures["cross_validated"]
    assert (tmp_path / "card.md").read_text() in result.output
    assert (tmp_path / "card-failures.png").is_file()


def test_read_all_of_an_empty_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        list(read_all(tmp_path))
