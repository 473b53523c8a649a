"""A model version answers as on the day it shipped: scores that were written down by the code of that day.

`registered_versions.json` was made by running the commit it names on `golden_slices`. The tensors of detector-4 are
those of detector-5, which come with the library, so its file is put together from them and its own metadata.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load as tensors_of
from safetensors.torch import save

from braingranary.detector.contracts.model_metadata import FORMAT, SHIPPED, Calibration, read_metadata, shipped_file
from braingranary.detector.inference.score import Scorer
from braingranary.detector.model.weights import assemble, load_shipped, unpack
from braingranary.errors import Code, RejectedInput
from tests.fixtures.golden_slices import golden_slices
from tests.fixtures.tiny_detector import metadata

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[3] / "fixtures" / "registered_versions.json").read_text())
TOLERANCE = 1e-4
needs_shipped_weights = pytest.mark.skipif(
    not (SHIPPED / "detector-5.safetensors").is_file(), reason="detector-5 does not come with this library"
)


def weights_of(version: str) -> bytes:
    """The file of that version, byte for byte."""
    data = (SHIPPED / "detector-5.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].rstrip(b" ")
    old, new = (json.dumps(RECORDED[name]["metadata"]).encode() for name in ("detector-5", version))
    assert old in header
    told = header.replace(old, new)
    told += b" " * (-len(told) % 8)
    return len(told).to_bytes(8, "little") + told + data[8 + length :]


@needs_shipped_weights
@pytest.mark.parametrize("version", sorted(RECORDED))
def test_registered_version_scores_as_on_the_day_it_shipped(version: str) -> None:
    recorded = RECORDED[version]
    model = unpack(weights_of(version), recorded["sha256"])
    assert model.metadata.version == version
    slices = golden_slices()
    scores = dict(zip(slices, Scorer(model).score(list(slices.values())), strict=True))
    for name, wanted in recorded["scores"].items():
        found = scores[name]
        assert found.frame.side == pytest.approx(wanted["frame_side"], abs=1e-3), name
        assert found.tumor_logit == pytest.approx(wanted["tumor_logit"], abs=TOLERANCE), name
        assert found.tumor_probability == pytest.approx(wanted["tumor_probability"], abs=TOLERANCE), name
        assert found.brain_probability == pytest.approx(wanted["brain_probability"], abs=TOLERANCE), name
        assert float(found.lesion_plane.sum()) == pytest.approx(wanted["lesion_sum"], abs=0.1, rel=1e-4), name
        assert (found.tumor, found.declined) == (wanted["tumor"], wanted["declined"]), name


def test_recorded_versions_differ_where_their_frames_do() -> None:
    older, newer = (RECORDED[version]["scores"]["small_head_in_noisy_air"] for version in ("detector-4", "detector-5"))
    assert older["frame_side"] > 2 * newer["frame_side"]
    assert abs(older["tumor_logit"] - newer["tumor_logit"]) > 1.0


@needs_shipped_weights
def test_legacy_files_take_their_ids_from_the_table_and_newer_ones_carry_them() -> None:
    assert read_metadata(weights_of("detector-4")).preprocessing == "foreground-box-1"
    legacy = read_metadata(shipped_file()[0])
    assert (legacy.architecture, legacy.preprocessing) == ("encoder-decoder-1", "head-box-1")
    assert legacy.license == "CC-BY-NC-SA-4.0"
    shipped = load_shipped()
    older = replace(shipped.metadata, version="detector-5-older-frame", preprocessing="foreground-box-1")
    again = assemble(shipped.network, older)
    assert again.metadata == older
    noisy = golden_slices()["small_head_in_noisy_air"]
    (score,) = Scorer(again).score([noisy])
    wanted = RECORDED["detector-4"]["scores"]["small_head_in_noisy_air"]
    assert score.tumor_logit == pytest.approx(wanted["tumor_logit"], abs=TOLERANCE)


def test_unknown_file_without_ids_is_refused_as_unsupported() -> None:
    told = json.loads(metadata("mine-1", Calibration()).to_json())
    for field in ("architecture", "preprocessing", "license"):
        del told[field]
    data = save({}, metadata={FORMAT: json.dumps(told)})
    with pytest.raises(RejectedInput) as caught:
        read_metadata(data)
    assert caught.value.code is Code.MODEL_UNSUPPORTED


@needs_shipped_weights
@pytest.mark.parametrize("field", ["architecture", "preprocessing"])
def test_file_that_names_an_unknown_id_is_refused_as_unsupported(field: str) -> None:
    told = json.loads(metadata("mine-1", Calibration()).to_json()) | {field: "of-the-future-9"}
    data = save(tensors_of(shipped_file()[0]), metadata={FORMAT: json.dumps(told)})
    with pytest.raises(RejectedInput, match="of-the-future-9") as caught:
        unpack(data, hashlib.sha256(data).hexdigest())
    assert caught.value.code is Code.MODEL_UNSUPPORTED
