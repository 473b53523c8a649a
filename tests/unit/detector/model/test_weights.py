from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from braingranary.detector.contracts.model_metadata import FORMAT, LARGEST_FILE_BYTES, Calibration
from braingranary.detector.model.encoder_decoder.network import TumorNet
from braingranary.detector.model.weights import Model, assemble, load, load_shipped, pack, ship, unpack
from braingranary.errors import Code, RejectedInput
from tests.fixtures.tiny_detector import WIDTHS, metadata

METADATA = metadata("test-1", Calibration(slope=2.0, offset=-1.0, tumor_threshold=0.25, brain_threshold=0.125))


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return assemble(TumorNet(WIDTHS), METADATA)


def _refused(data: bytes, digest: str | None = None) -> str:
    with pytest.raises(RejectedInput) as caught:
        unpack(data, digest or hashlib.sha256(data).hexdigest())
    assert caught.value.code is Code.MODEL_INVALID
    return caught.value.message


def test_pack_and_unpack_keep_weights_metadata_and_hash(model: Model) -> None:
    data = pack(model.network, model.metadata)
    again = unpack(data, hashlib.sha256(data).hexdigest())
    assert again.metadata == METADATA
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.network.state_dict().values(), again.network.state_dict().values(), strict=True)
    )
    assert not again.network.training


def test_unpack_flipped_byte_is_refused(model: Model) -> None:
    data = bytearray(pack(model.network, model.metadata))
    digest = hashlib.sha256(bytes(data)).hexdigest()
    data[-1] ^= 1
    assert "sha256" in _refused(bytes(data), digest)


def test_unpack_swapped_weights_are_refused(model: Model) -> None:
    other = pack(TumorNet(WIDTHS), METADATA)
    assert "sha256" in _refused(other, model.sha256)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, ("should-not-exist",)


def test_unpack_pickle_is_refused_even_with_the_right_hash(tmp_path: Path) -> None:
    _refused(pickle.dumps(_Bomb()))
    torch.save({"a": torch.zeros(2)}, tmp_path / "weights.pt")
    _refused((tmp_path / "weights.pt").read_bytes())


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 7, b"\xff" * 64, (2**62).to_bytes(8, "little") + b"{}", b"\x02" + b"\0" * 7 + b"[]"]
)
def test_unpack_garbage_is_refused(data: bytes) -> None:
    _refused(data)


def test_unpack_nan_weights_are_refused(model: Model) -> None:
    network = TumorNet(WIDTHS)
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    assert "NaN" in _refused(pack(network, METADATA))


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_unpack_other_tensors_are_refused(change: str) -> None:
    tensors = {name: value.contiguous() for name, value in TumorNet(WIDTHS).state_dict().items()}
    if change == "missing":
        tensors.pop("lesion_head.bias")
    elif change == "extra":
        tensors["more"] = torch.zeros(1)
    else:
        tensors["lesion_head.bias"] = torch.zeros(3)
    metadata = {FORMAT: METADATA.to_json()}
    _refused(save(tensors, metadata=metadata))


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"calibration": 3}'],
)
def test_unpack_broken_metadata_is_refused(text: str) -> None:
    tensors = {name: value.contiguous() for name, value in TumorNet(WIDTHS).state_dict().items()}
    _refused(save(tensors, metadata={FORMAT: text}))


def test_unpack_absurd_widths_are_refused_before_they_are_built() -> None:
    levels = {f"encoder.{n}.first.weight": torch.zeros((width, 0)) for n, width in enumerate((8, 100_000_000, 8))}
    assert "widths" in _refused(save(levels, metadata={FORMAT: METADATA.to_json()}))


@pytest.mark.parametrize("shape", [(), (0, 16, 3, 3), (12, 16, 3, 3), (48,)])
def test_unpack_gate_of_absurd_tensors_is_refused(shape: tuple[int, ...]) -> None:
    tensors = {name: value.contiguous() for name, value in TumorNet(WIDTHS).state_dict().items()}
    tensors |= {f"gate.levels.{n}.first.weight": torch.zeros(shape) for n in range(3)}
    _refused(save(tensors, metadata={FORMAT: METADATA.to_json()}))


def test_load_missing_and_oversized_files_are_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.safetensors"
    with large.open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)
    for path in (tmp_path / "absent", large):
        with pytest.raises(RejectedInput) as caught:
            load(path, "00")
        assert caught.value.code is Code.MODEL_INVALID


def test_ship_pins_what_load_shipped_then_trusts(tmp_path: Path, model: Model) -> None:
    digest = ship(model, tmp_path)
    assert load_shipped(tmp_path).sha256 == digest == model.sha256
    weights = tmp_path / "test-1.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(RejectedInput):
        load_shipped(tmp_path)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/passwd", "a/b"])
def test_load_shipped_pin_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "pin.json").write_text(json.dumps({"file": name, "sha256": "00"}))
    with pytest.raises(RejectedInput, match="outside"):
        load_shipped(tmp_path)
