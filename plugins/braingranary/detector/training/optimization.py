"""What every training here does alike: a step of the optimizer, an average that follows, a file that is kept whole.

Losses, rates and what becomes of a file of another plan differ, and stay with each training. In: networks, optimizers
and losses; a plan's values with what else decides its outcome; a path. Out: changed networks; an identity; a file that
loads without running anything. Fails as torch does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

GRADIENT_NORM_MAX = 1.0
"""Longer gradients are shortened to this: one strange batch must not undo many."""


def optimizer_step(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of `optimizer` down `loss`, a scalar that `network` had a part in."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM_MAX)
    optimizer.step()


def update_average(average: nn.Module, network: nn.Module, *, step: int, decay: float) -> None:
    """Move `average` towards `network` by 1 - `decay`; further in the first steps, of which nothing should stay.

    Parameters and floating-point buffers: the latter are the statistics of normalization.
    """
    part = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
    old, new = (chain(one.parameters(), one.buffers()) for one in (average, network))
    with torch.no_grad():
        for mean, latest in zip(old, new, strict=True):
            if mean.is_floating_point():
                mean.lerp_(latest, part)


def plan_identity(plan: Mapping[str, object], **rest: object) -> str:
    """What a kept file is of: a plan's values and all else that decides what comes out; equal for equal ones."""
    return json.dumps({"plan": plan, **rest}, sort_keys=True)


def save_checkpoint(path: Path, identity: str, **content: object) -> None:
    """Write `content` to `path` under its identity, whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save({"identity": identity, **content}, partial)
    partial.replace(path)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any] | None:
    """What `keep` wrote to `path`, "identity" among it, its tensors on `device`; None where nothing is."""
    if not path.is_file():
        return None
    # weights_only: what is kept is data; nothing in it may run.
    found: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return found
