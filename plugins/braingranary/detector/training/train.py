"""Training: from a cache of slices to weights, seeded, resumable, on CPU or GPU, with its curves in a CSV file.

AdamW with warm-up and cosine decay; an exponential moving average of the weights is what is judged and shipped. The
checkpoint after every epoch holds all that the next epoch needs, so a killed run continues where it stood; batches
depend on (seed, step) alone. On a CPU with bfloat16 arithmetic it is used for the convolutions (2.5 times the rate).

In: the training part of a cache, a plan, a folder. Out: `checkpoint.pt`, `curves.csv` in the folder and the averaged
network. Fails with RejectedInput where the folder holds a checkpoint of another plan or of other data.
"""

from __future__ import annotations

import csv
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import structlog
import torch
from torch import Tensor

from braingranary.detector.model.encoder_decoder.network import TumorNet
from braingranary.detector.training import optimization
from braingranary.detector.training.batches import Batch, BatchMaker, Curriculum
from braingranary.detector.training.cache import TrainingCache
from braingranary.detector.training.losses import Losses, losses
from braingranary.errors import Code, RejectedInput

log = structlog.get_logger(__name__)

CURVE_COLUMNS = ("epoch", "seconds", "learning_rate", "total", "lesion", "overlap", "tumor", "brain")
PAUSE_CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides a training run besides the data."""

    seed: int = 20261122
    epochs: int = 16
    steps_an_epoch: int = 250
    batch_size: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    warmup_steps: int = 200
    average_decay: float = 0.998
    positive_pixel_weight: float = 2.0
    unaltered_first: float = 0.9
    unaltered_last: float = 0.6
    """Part of the pictures whose intensities stay as acquired, at the first and the last step: from easy to hard."""
    widths: tuple[int, ...] = (16, 64, 128, 192)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.epochs * self.steps_an_epoch

    def longer(self, times: int) -> Plan:
        """The plan with so many times its epochs."""
        return replace(self, epochs=self.epochs * times)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then half a cosine down to a hundredth."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        part = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(part, 1.0))))


@dataclass(slots=True, kw_only=True)
class _State:
    """What changes from step to step and is kept in the checkpoint."""

    network: TumorNet
    average: TumorNet
    optimizer: torch.optim.Optimizer
    epoch: int
    curves: list[list[float]]


def train(
    cache: TrainingCache,
    plan: Plan,
    folder: Path,
    *,
    device: torch.device | None = None,
    loaders: int = 0,
    stop_after: int | None = None,
    pause_file: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TumorNet:
    """Train on every slice of `cache` (pass the training split only) and return the averaged network in eval mode.

    `loaders` threads make batches ahead, for a GPU that would wait for them; `stop_after` ends after so many of the
    plan's epochs, its schedule left alone, so that a later call without it goes on. `progress(step, steps)` is called
    after every step; training waits while `pause_file` exists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    curriculum = Curriculum(first=plan.unaltered_first, last=plan.unaltered_last, steps=plan.steps)
    maker = BatchMaker(cache, seed=plan.seed, batch_size=plan.batch_size, curriculum=curriculum)
    tumor_rate, brain_rate = maker.balance(4)
    log.info("class balance of batches", tumor_rate=round(tumor_rate, 3), brain_rate=round(brain_rate, 3))
    identity = optimization.plan_identity(asdict(plan), data=cache.sha256())
    state = _state(plan, folder / "checkpoint.pt", identity, chosen)
    for epoch in range(state.epoch, min(plan.epochs, stop_after or plan.epochs)):
        began = time.monotonic()
        sums = torch.zeros(len(Losses._fields))
        state.network.train()
        steps = range(epoch * plan.steps_an_epoch, (epoch + 1) * plan.steps_an_epoch)
        for step, batch in zip(steps, _batches(maker, steps, loaders), strict=True):
            while pause_file is not None and pause_file.exists():
                time.sleep(PAUSE_CHECK_SECONDS)
            sums += _step(state, batch, plan, step, chosen)
            if progress is not None:
                progress(step + 1, plan.steps)
        state.epoch = epoch + 1
        means = (sums / plan.steps_an_epoch).tolist()
        state.curves.append([epoch + 1, time.monotonic() - began, plan.rate_at(step), *means])
        _save(state, folder / "checkpoint.pt", identity)
        _write_curves(folder / "curves.csv", state.curves)
        log.info("epoch done", epoch=epoch + 1, of=plan.epochs, loss=round(means[0], 4))
    return state.average.eval()


def _batches(maker: BatchMaker, steps: range, loaders: int) -> Iterator[Batch]:
    """The batches of `steps` in order, made in place or a little ahead by threads; the same batches either way."""
    if not loaders:
        yield from map(maker.batch, steps)
        return
    with ThreadPoolExecutor(loaders) as pool:
        ahead: deque[Future[Batch]] = deque()
        for step in steps:
            ahead.append(pool.submit(maker.batch, step))
            if len(ahead) > 2 * loaders:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _step(state: _State, batch: Batch, plan: Plan, step: int, device: torch.device) -> Tensor:
    """One optimizer step; the loss parts, detached, on the CPU."""
    moved = {name: getattr(batch, name).to(device) for name in ("images", "masks", "tumor", "brain")}
    batch = replace(batch, **moved)
    for group in state.optimizer.param_groups:
        group["lr"] = plan.rate_at(step)
    with torch.autocast(device.type, torch.bfloat16):
        answers = state.network(batch.images)
    parts = losses(answers, batch, positive_pixel_weight=plan.positive_pixel_weight)
    optimization.optimizer_step(state.network, state.optimizer, parts.total)
    optimization.update_average(state.average, state.network, step=step, decay=plan.average_decay)
    return torch.stack([part.detach().float().cpu() for part in parts])


def _state(plan: Plan, checkpoint: Path, identity: str, device: torch.device) -> _State:
    """A fresh state from the seed, or the checkpoint's."""
    torch.manual_seed(plan.seed)
    network, average = TumorNet(plan.widths).to(device), TumorNet(plan.widths).to(device)
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    state = _State(network=network, average=average, optimizer=optimizer, epoch=0, curves=[])
    kept = optimization.load_checkpoint(checkpoint, device)
    if kept is not None:
        if kept["identity"] != identity:
            raise RejectedInput(Code.TRAINING_DATA_INVALID, "the folder's checkpoint is of other data or another plan")
        network.load_state_dict(kept["network"])
        average.load_state_dict(kept["average"])
        optimizer.load_state_dict(kept["optimizer"])
        torch.set_rng_state(kept["random"].cpu())
        state.epoch, state.curves = int(kept["epoch"]), list(kept["curves"])
    return state


def _save(state: _State, checkpoint: Path, identity: str) -> None:
    optimization.save_checkpoint(
        checkpoint,
        identity,
        epoch=state.epoch,
        curves=state.curves,
        network=state.network.state_dict(),
        average=state.average.state_dict(),
        optimizer=state.optimizer.state_dict(),
        random=torch.get_rng_state(),
    )


def _write_curves(path: Path, curves: list[list[float]]) -> None:
    """The whole file from the checkpoint's own rows: a run killed between the two writes loses and doubles nothing."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(CURVE_COLUMNS)
        writer.writerows([f"{value:.6g}" for value in row] for row in curves)
    partial.replace(path)
