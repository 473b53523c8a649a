"""Training of the gate: some ten minutes on two cores, after the tumour network and beside nothing of it.

AdamW under a one-cycle rate; an exponential moving average of the weights is the gate. Planes are drawn, turned and
mirrored afresh in every step, and some go through what augmentation does to contrast, of either kind, so that no tone
is a sign of a brain. In: labelled slices of training patients, a folder. Out: a `Gate` in eval mode, kept as `gate.pt`
in the folder with the plan and the data it came from, and taken from there by the next call with the same.
Deterministic for a plan. Fails as `gate_examples` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from torch.nn import functional

from braingranary.detector.data.labelled import LabelledSlice
from braingranary.detector.model.encoder_decoder.gate import Gate
from braingranary.detector.model.preprocessing.tone import normalize
from braingranary.detector.training import optimization
from braingranary.detector.training.augment import warp_intensity
from braingranary.detector.training.gate_examples import Planes8, brain_planes, from_uint8, negative_planes

log = structlog.get_logger(__name__)

KEPT = "gate.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePlan:
    """Everything that decides a gate besides the slices."""

    seed: int
    brains: int = 8000
    negatives: int = 14000
    """Planes that are drawn from."""
    steps: int = 8000
    batch_size: int = 24
    """Half of them brains."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    warped_part: float = 0.35
    label_smoothing: float = 0.02
    """Keeps the gate from certainty about heads of a kind that it was never shown."""
    average_decay: float = 0.995


def train_gate(
    slices: Sequence[LabelledSlice],
    plan: GatePlan,
    folder: Path,
    *,
    data_sha256: str,
    progress: Callable[[int, int], None] | None = None,
) -> Gate:
    """The gate of `plan` for `slices` (training patients only) out of the data set with that hash."""
    patients = sorted({f"{item.source}/{item.patient}" for item in slices})
    identity = optimization.plan_identity(asdict(plan), data=data_sha256, patients=patients)
    kept = _kept(folder / KEPT, identity)
    if kept is not None:
        return kept
    rng = np.random.default_rng(plan.seed)
    brains, negatives = brain_planes(slices, plan.brains, rng), negative_planes(slices, plan.negatives, rng)
    gate = _fit(brains, negatives, plan, progress)
    folder.mkdir(parents=True, exist_ok=True)
    optimization.save_checkpoint(folder / KEPT, identity, gate=gate.state_dict())
    return gate


def _kept(path: Path, identity: str) -> Gate | None:
    found = optimization.load_checkpoint(path, torch.device("cpu"))
    if found is None:
        return None
    if found["identity"] != identity:
        log.info("the kept gate is of another plan or of other data", path=path.name)
        return None
    gate = Gate()
    gate.load_state_dict(found["gate"])
    return gate.eval()


def _fit(brains: Planes8, negatives: Planes8, plan: GatePlan, progress: Callable[[int, int], None] | None) -> Gate:
    torch.manual_seed(plan.seed)
    rng, generator = np.random.default_rng((plan.seed, 1)), torch.Generator().manual_seed(plan.seed)
    gate, average = Gate(), Gate()
    for one in (gate, average):
        one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average.load_state_dict(gate.state_dict())
    optimizer = torch.optim.AdamW(gate.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, plan.steps, pct_start=0.1)
    half = plan.batch_size // 2
    target = torch.cat([torch.ones(half), torch.zeros(half)]) * (1.0 - 2.0 * plan.label_smoothing)
    target += plan.label_smoothing
    gate.train()
    for step in range(plan.steps):
        drawn = np.concatenate([pool[rng.integers(len(pool), size=half)] for pool in (brains, negatives)])
        planes = torch.from_numpy(varied(drawn, plan.warped_part, rng, generator))[:, None]
        with torch.autocast("cpu", torch.bfloat16):
            logits = gate(planes)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), target)
        optimization.optimizer_step(gate, optimizer, loss)
        rate.step()
        optimization.update_average(average, gate, step=step, decay=plan.average_decay)
        if progress is not None:
            progress(step + 1, plan.steps)
    average.eval()
    return average


def varied(
    planes: Planes8, warped_part: float, rng: np.random.Generator, generator: torch.Generator
) -> NDArray[np.float32]:
    """(N, S, S) as the network sees them: each turned and maybe mirrored, some with other tones, prepared again."""
    turned = np.stack([np.rot90(plane, int(rng.integers(4)))[:, :: int(rng.choice([1, -1]))] for plane in planes])
    shown = from_uint8(turned)
    warped = rng.random(len(planes)) < warped_part
    if warped.any():
        squares = warp_intensity(torch.from_numpy(turned[warped].astype(np.float32)), generator)
        shown[warped] = np.stack([normalize(square) for square in squares.numpy()])
    return shown
