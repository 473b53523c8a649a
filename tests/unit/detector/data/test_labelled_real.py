"""The readers on the real sets: counts, splits, geometry. Skipped where the scans are absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from braingranary.detector.data.labelled import read_healthy, read_lgg, read_progression
from braingranary.detector.evaluation.confound_audit import audit, enforce, examples_of_cache
from braingranary.detector.training.cache import build_cache
from braingranary.errors import Code, RejectedInput
from braingranary.records import Plane

pytestmark = pytest.mark.realdata


def test_read_lgg_keeps_the_published_counts_and_splits(real_data: Path) -> None:
    slices = list(read_lgg(real_data))
    assert len(slices) == 2186
    assert sum(item.tumor for item in slices) == 778
    splits: dict[str, set[str]] = {}
    for item in slices:
        splits.setdefault(item.patient, set()).add(item.split)
    assert all(len(names) == 1 for names in splits.values())
    assert sorted(name for (name,) in splits.values()) == ["test"] * 8 + ["train"] * 41 + ["val"] * 9
    assert sum("t1" not in item.contrasts for item in slices) == 195


def test_read_progression_shows_masks_on_bright_rims(real_data: Path) -> None:
    slices = list(read_progression(real_data))
    assert {item.patient for item in slices} == {f"{n:02}" for n in range(1, 7)}
    brighter = [
        float(item.pictures[0][item.mask].mean()) > float(np.median(item.pictures[0][item.pictures[0] > 25]))
        for item in slices
        if item.tumor
    ]
    assert np.mean(brighter) > 0.9


def test_read_healthy_turns_every_volume_for_display(real_data: Path) -> None:
    slices = [item for item in read_healthy(real_data) if item.source != "mni152"]
    planes = {(item.source, item.plane) for item in slices}
    assert planes == {("ptbp_healthy", Plane.AXIAL), *(("ixi", plane) for plane in Plane)}
    assert not any(item.tumor for item in slices)
    axial = [item for item in slices if item.source == "ptbp_healthy"]
    # stored posterior-superior-right, shown axially: taller (front to back) than wide
    assert {item.pictures.shape[1:] for item in axial} == {(217, 182)}


def test_audit_refuses_label_equals_data_set(real_data: Path) -> None:
    ill = [item for item in read_progression(real_data) if item.tumor]
    well = [item for item in read_healthy(real_data) if item.source == "ptbp_healthy"]
    result = audit(examples_of_cache(build_cache([*ill, *well])))
    assert result.trivial_auc > 0.95
    with pytest.raises(RejectedInput) as caught:
        enforce(result)
    assert caught.value.code is Code.TRAINING_DATA_CONFOUNDED
