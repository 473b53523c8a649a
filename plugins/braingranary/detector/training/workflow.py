"""The whole way from a folder of data to a judged model, as `make train` and the training DAG walk it.

`ALL` includes every training patient of every source and gives the model that is shipped. Two more only judge, trained
as long as what ships: `ONE_HOSPITAL` includes a single hospital of the tumour collection and healthy heads, and on
the other hospitals and on another tumour collection tells what a new site costs (leave one hospital out);
`cross_validate` repeats training over patient groups and is the truest figure. Before a stage its batches are audited
for confounds.

In: a data folder, a work folder (resumable). Out: calibrated `Model`s. Fails as the readers, the audit and training do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from braingranary.detector.contracts.model_metadata import Calibration, ModelMetadata
from braingranary.detector.data.labelled import LabelledSlice
from braingranary.detector.evaluation.confound_audit import Audit, audit, enforce, examples_of_batches
from braingranary.detector.evaluation.evaluate import GroupReport, baseline, report
from braingranary.detector.evaluation.predict import LESION_THRESHOLDS, Predictions, join, predict
from braingranary.detector.model.encoder_decoder.architecture import ENCODER_DECODER
from braingranary.detector.model.encoder_decoder.network import TumorNet, with_gate
from braingranary.detector.model.preprocessing.pipeline import HEAD_BOX
from braingranary.detector.model.weights import Model, assemble
from braingranary.detector.training.batches import BatchMaker
from braingranary.detector.training.cache import TrainingCache, build_cache
from braingranary.detector.training.calibrate import calibrate
from braingranary.detector.training.train import Plan, train
from braingranary.detector.training.train_gate import GatePlan, train_gate

log = structlog.get_logger(__name__)

FIRST_HOSPITAL = "DU"
HEALTHY = ("ixi", "ptbp_healthy")
AUDIT_BATCHES = 40
FOLDS = 3
WEIGHTS_LICENSE = "CC-BY-NC-SA-4.0"
"""SPDX id: LGG slices are among what every stage learns from, and are licensed so."""
Progress = Callable[[str, int, int], None]
"""(stage, step, steps)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One training run: its plan, where it works, which slices it may see."""

    name: str
    plan: Plan
    gate: GatePlan
    includes: Callable[[NDArray[np.str_], NDArray[np.str_]], NDArray[np.bool_]]
    """(sources, sites) of N slices to which of them belong to the stage, whatever their split."""
    trained_on: str


def _one_hospital(sources: NDArray[np.str_], sites: NDArray[np.str_]) -> NDArray[np.bool_]:
    return np.asarray(((sources == "lgg") & (sites == FIRST_HOSPITAL)) | np.isin(sources, HEALTHY))


def _everything(sources: NDArray[np.str_], sites: NDArray[np.str_]) -> NDArray[np.bool_]:
    return np.ones(np.broadcast(sources, sites).shape, dtype=np.bool_)


ONE_HOSPITAL = Stage(
    name="one_hospital",
    plan=Plan(seed=3, epochs=24),
    gate=GatePlan(seed=3),
    includes=_one_hospital,
    trained_on="training patients of hospital DU (LGG); healthy heads of ixi and ptbp_healthy",
)
ALL = Stage(
    name="all",
    plan=Plan(seed=2, epochs=24),
    gate=GatePlan(seed=2),
    includes=_everything,
    trained_on="training patients of LGG, brain_tumor_progression (01 to 03), ixi (IXI012), ptbp_healthy (01 to 05)",
)
FOLD_PLAN = Plan(seed=11, epochs=24)
FOLD_GATE = GatePlan(seed=11)
"""A fold of the cross-validation, trained as long as what ships."""


def longer(stage: Stage, times: int) -> Stage:
    """The stage with so many times its epochs."""
    return replace(stage, plan=stage.plan.longer(times))


def cache_of(slices: Sequence[LabelledSlice], work: Path) -> TrainingCache:
    """The cache of all slices, kept in `work` for the next run."""
    path = work / "cache.npz"
    if path.is_file():
        return TrainingCache.load(path)
    work.mkdir(parents=True, exist_ok=True)
    cache = build_cache(slices)
    cache.save(path)
    return cache


def audit_stage(cache: TrainingCache, stage: Stage, *, force: bool = False) -> Audit:
    """The confound audit of what the stage would see; raises unless it passes or is forced."""
    result = audit(examples_of_batches(BatchMaker(_training(cache, stage), seed=stage.plan.seed), AUDIT_BATCHES))
    log.info("confound audit", stage=stage.name, source=result.source_auc, trivial=result.trivial_auc)
    enforce(result, force=force)
    return result


def run_stage(
    cache: TrainingCache,
    stage: Stage,
    work: Path,
    *,
    device: torch.device | None = None,
    loaders: int = 0,
    pause_file: Path | None = None,
    progress: Progress | None = None,
) -> TumorNet:
    """Train one stage on the training patients it may see, on a GPU if there is one; resumes in `work`/`stage.name`."""
    tell = None if progress is None else partial(progress, stage.name)
    network = train(
        _training(cache, stage),
        stage.plan,
        work / stage.name,
        device=device,
        loaders=loaders,
        pause_file=pause_file,
        progress=tell,
    )
    return network.cpu().eval()


def finish(
    network: TumorNet,
    slices: Sequence[LabelledSlice],
    stage: Stage,
    work: Path,
    *,
    version: str,
    data_sha256: str,
) -> Model:
    """Train the stage's gate, calibrate on the validation patients that it may see, put the model together."""
    training = [item for item in slices if item.split == "train" and _includes(stage, item)]
    gate = train_gate(training, stage.gate, work / stage.name, data_sha256=data_sha256)
    metadata = _uncalibrated(version, data_sha256, stage.trained_on)
    validation = (item for item in slices if item.split == "val" and _includes(stage, item))
    return _calibrated(with_gate(network, gate), metadata, validation)


def _uncalibrated(version: str, data_sha256: str, trained_on: str) -> ModelMetadata:
    return ModelMetadata(
        version=version,
        architecture=ENCODER_DECODER.id,
        preprocessing=HEAD_BOX.id,
        license=WEIGHTS_LICENSE,
        data_sha256=data_sha256,
        trained_on=trained_on,
        calibration=Calibration(),
    )


def _calibrated(network: TumorNet, metadata: ModelMetadata, validation: Iterable[LabelledSlice]) -> Model:
    calibration = calibrate(predict(assemble(network, metadata), validation))
    return assemble(network, replace(metadata, calibration=calibration))


def judge_test(model: Model, slices: Sequence[LabelledSlice]) -> tuple[GroupReport, ...]:
    """The shipped model on the test patients; the baseline learns from the training patients."""
    test = predict(model, (item for item in slices if item.split == "test"))
    known = predict(None, (item for item in slices if item.split == "train"))
    return report(test, model.metadata.calibration, baseline(known, test))


def judge_new_site(model: Model, slices: Sequence[LabelledSlice]) -> tuple[GroupReport, ...]:
    """The one-hospital model on what it never saw: other hospitals, the other collection, healthy test heads."""
    stage = ONE_HOSPITAL
    unseen = (item for item in slices if not _includes(stage, item) and item.source != "mni152")
    healthy = (item for item in slices if item.split == "test" and item.source in {*HEALTHY, "mni152"})
    known = predict(None, (item for item in slices if item.split == "train" and _includes(stage, item)))
    judged = predict(model, chain(unseen, healthy))
    return report(judged, model.metadata.calibration, baseline(known, judged))


def cross_validate(
    cache: TrainingCache,
    slices: Sequence[LabelledSlice],
    work: Path,
    *,
    plan: Plan = FOLD_PLAN,
    gate_plan: GatePlan = FOLD_GATE,
    folds: int = FOLDS,
    progress: Progress | None = None,
) -> tuple[GroupReport, ...]:
    """Patient-grouped cross-validation of the tumour collections over all patients, whatever their split.

    Each fold is calibrated on the validation patients that are not in it. Returns figures over all folds' predictions.
    """
    groups = fold_of_patients(cache, folds)
    held: list[Predictions] = []
    guesses = []
    thresholds: list[tuple[float, float]] = []
    for fold in range(folds):
        name = f"fold_{fold}"
        outside = np.array([groups.get(patient, -1) != fold for patient in cache.patients.tolist()])
        training = cache.where(outside & (cache.splits != "val") & (cache.sources != "mni152"))
        tell = None if progress is None else partial(_after, progress, name, fold * plan.steps)
        network = train(training, replace(plan, seed=plan.seed + fold), work / name, progress=tell).cpu().eval()
        seen = [i for i in slices if i.split != "val" and i.source != "mni152" and groups.get(i.patient, -1) != fold]
        gate = train_gate(seen, gate_plan, work / name, data_sha256=cache.sha256())
        metadata = _uncalibrated(name, cache.sha256(), f"all but {name} of {folds}")
        validation = (i for i in slices if i.split == "val" and groups.get(i.patient, -1) != fold)
        model = _calibrated(with_gate(network, gate), metadata, validation)
        calibration = model.metadata.calibration
        judged = predict(model, (item for item in slices if groups.get(item.patient, -1) == fold))
        # Folds differ in calibration: their probabilities may be pooled, their raw logits may not.
        known = predict(None, (i for i in slices if i.split != "val" and groups.get(i.patient, -1) not in {-1, fold}))
        guesses.append(baseline(known, judged))
        chosen = [LESION_THRESHOLDS.index(calibration.lesion_threshold)] * len(LESION_THRESHOLDS)
        logit = judged.tumor_logit * calibration.slope + calibration.offset
        outlined, shared = judged.outlined_px[:, chosen], judged.shared_px[:, chosen]
        held.append(replace(judged, tumor_logit=logit, outlined_px=outlined, shared_px=shared))
        thresholds.append((calibration.tumor_threshold, calibration.brain_threshold))
    tumor_threshold, brain_threshold = (float(value) for value in np.mean(thresholds, axis=0))
    pooled = Calibration(tumor_threshold=tumor_threshold, brain_threshold=brain_threshold)
    return report(join(held), pooled, np.concatenate(guesses))


def _after(progress: Progress, name: str, before: int, step: int, steps: int) -> None:
    progress(name, before + step, steps)


def fold_of_patients(cache: TrainingCache, folds: int) -> dict[str, int]:
    """Fold of every patient of the tumour collections: sites are spread evenly, the order is by name."""
    tumor_sources = [
        source for source in np.unique(cache.sources).tolist() if cache.tumor[cache.sources == source].any()
    ]
    chosen = np.isin(cache.sources, tumor_sources)
    keys = sorted(set(zip(cache.sites[chosen].tolist(), cache.patients[chosen].tolist(), strict=True)))
    return {patient: number % folds for number, (_, patient) in enumerate(keys)}


def _training(cache: TrainingCache, stage: Stage) -> TrainingCache:
    return cache.where((cache.splits == "train") & stage.includes(cache.sources, cache.sites))


def _includes(stage: Stage, item: LabelledSlice) -> bool:
    return bool(stage.includes(np.array([item.source]), np.array([item.site]))[0])
