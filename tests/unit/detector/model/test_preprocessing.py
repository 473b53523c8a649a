from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from braingranary.detector.model.preprocessing.picture import foreground_of, grey_of
from braingranary.detector.model.preprocessing.pipeline import HEAD_BOX, INPUT_SIDE_PX
from braingranary.detector.model.preprocessing.tone import TONE_CEILING, TONE_MEDIAN
from braingranary.errors import Code, RejectedInput
from tests.unit.detector.heads import disc, head

LESION = (110, 90, 15)


def test_prepare_any_head_gives_the_networks_plane() -> None:
    prepared = HEAD_BOX.prepare(head())
    assert prepared.plane.shape == (INPUT_SIDE_PX, INPUT_SIDE_PX)
    assert prepared.plane.dtype == np.float32
    assert prepared.plane.min() >= 0.0
    assert prepared.plane.max() <= TONE_CEILING
    assert not prepared.blank
    median = float(np.median(prepared.plane[foreground_of(prepared.plane)]))
    assert median == pytest.approx(TONE_MEDIAN, abs=0.05)


@pytest.mark.parametrize(
    "same",
    [
        lambda a: a.astype(np.uint16) * 257,
        lambda a: a.astype(np.float32) / 255,
        lambda a: a.astype(np.int16) - 1024,
        lambda a: a.astype(np.float64) * 0.37 + 11,
    ],
    ids=["uint16", "unit float", "signed", "rescaled"],
)
def test_prepare_other_dtype_or_rescale_gives_the_same_plane(same: object) -> None:
    picture = head(lesion=LESION)
    assert callable(same)
    assert np.abs(HEAD_BOX.prepare(same(picture)).plane - HEAD_BOX.prepare(picture).plane).max() < 0.01


@pytest.mark.parametrize("grey", [0, 255])
def test_prepare_flat_border_is_not_looked_at(grey: int) -> None:
    picture = head(lesion=LESION)
    framed = np.pad(picture, ((60, 25), (10, 140)), constant_values=grey)
    assert np.abs(HEAD_BOX.prepare(framed).plane - HEAD_BOX.prepare(picture).plane).mean() < 0.02


def test_prepare_larger_picture_gives_nearly_the_same_plane() -> None:
    picture = head(lesion=LESION)
    large = np.repeat(np.repeat(picture, 3, axis=0), 3, axis=1)
    assert np.abs(HEAD_BOX.prepare(large).plane - HEAD_BOX.prepare(picture).plane).mean() < 0.03


def test_prepare_specks_in_the_air_do_not_widen_the_frame() -> None:
    picture = np.pad(head(), 100, mode="edge")
    clean = HEAD_BOX.prepare(picture).frame
    picture[5, 5] = picture[390, 20] = 255
    assert HEAD_BOX.prepare(picture).frame.side == pytest.approx(clean.side, rel=0.02)


@pytest.mark.parametrize("grey", [8, 45])
def test_prepare_small_head_in_noisy_air_is_framed_as_without_noise(grey: int) -> None:
    clean = np.pad(head(), ((190, 90), (120, 200)), mode="edge").astype(np.float32)
    real, imaginary = np.random.default_rng(7).normal(0.0, grey, (2, *clean.shape))
    noisy = np.floor(np.hypot(clean + real, imaginary) / 8) * 8
    seen, wanted = HEAD_BOX.prepare(noisy).frame, HEAD_BOX.prepare(clean).frame
    assert (seen.top, seen.left, seen.side) == pytest.approx((wanted.top, wanted.left, wanted.side), abs=14)


@pytest.mark.parametrize("part", [0.45, 0.7])
@pytest.mark.parametrize("radius", [22, 40])
def test_prepare_bright_lesion_does_not_draw_the_frame_from_a_bare_brain(part: float, radius: int) -> None:
    brain, lesion = (disc(where)[28:172, 28:172] for where in ((100, 100, 70), (110, 95, radius)))
    picture = np.where(lesion, 255.0, np.where(brain, 255.0 * part, 0.0))
    assert HEAD_BOX.prepare(picture).frame.side == pytest.approx(HEAD_BOX.prepare(brain * 255.0).frame.side, rel=0.02)


def test_prepare_writing_in_the_corners_does_not_widen_the_frame() -> None:
    plain = np.pad(head(side=400), 90, mode="edge")
    shown = Image.fromarray(plain)
    ImageDraw.Draw(shown).multiline_text((5, 5), "SE 4\nIM 12 of 40\nFLAIR  TR 9000", fill=255)
    ImageDraw.Draw(shown).text((480, 560), "W 400 L 200", fill=255)
    assert HEAD_BOX.prepare(np.asarray(shown)).frame.side == pytest.approx(HEAD_BOX.prepare(plain).frame.side, rel=0.02)


def test_prepare_bright_speck_in_noise_is_not_framed_as_a_head() -> None:
    picture = np.random.default_rng(3).rayleigh(4.0, (256, 256))
    picture[120:130, 80:90] = 255.0
    assert HEAD_BOX.prepare(picture).frame.side > 256


def test_to_original_puts_a_lesion_back_where_it_was() -> None:
    picture = np.pad(head(lesion=LESION), ((30, 0), (0, 70)), constant_values=4)
    prepared = HEAD_BOX.prepare(picture)
    back = prepared.frame.to_original((prepared.plane > 0.75).astype(np.float32)) > 0.5
    truth = np.pad(disc(LESION), ((30, 0), (0, 70)))
    inner = np.pad(disc((100, 100, 50)), ((30, 0), (0, 70)))
    assert back.shape == picture.shape
    found = back & inner
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


@pytest.mark.parametrize("grey", [0, 7, 255])
def test_prepare_blank_picture_is_told(grey: int) -> None:
    prepared = HEAD_BOX.prepare(np.full((64, 90), grey, dtype=np.uint8))
    assert prepared.blank
    assert not prepared.plane.any()


@pytest.mark.parametrize("scale", [3e-46, 1e-43, 1e-40, 1e-30, 1e20])
def test_prepare_any_scale_of_floats_is_finite(scale: float) -> None:
    prepared = HEAD_BOX.prepare(head().astype(np.float64) * scale)
    assert np.isfinite(prepared.plane).all()
    assert prepared.blank == (scale < 1e-9)


def _with(value: float) -> NDArray[np.float32]:
    picture = head().astype(np.float32)
    picture[50, 50] = value
    return picture


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (_with(np.nan), Code.IMAGE_INVALID),
        (_with(np.inf), Code.IMAGE_INVALID),
        (_with(-3e38), Code.IMAGE_INVALID),
        (np.zeros((15, 300), np.uint8), Code.IMAGE_INVALID),
        (np.zeros((50, 50, 3), np.uint8), Code.IMAGE_INVALID),
        (np.zeros((50, 50), np.complex64), Code.IMAGE_INVALID),
        (np.broadcast_to(np.uint8(1), (10_000, 10_000)), Code.IMAGE_TOO_LARGE),
    ],
    ids=["nan", "infinite", "beyond sums", "tiny", "colour", "complex", "huge"],
)
def test_prepare_unusable_picture_is_rejected_with_its_code(picture: NDArray[np.generic], code: Code) -> None:
    with pytest.raises(RejectedInput) as caught:
        HEAD_BOX.prepare(picture)
    assert caught.value.code is code


@pytest.mark.parametrize("shape", [(16, 16), (16, 900), (17, 333), (1024, 31)])
def test_prepare_odd_shapes_pass(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    prepared = HEAD_BOX.prepare(picture)
    assert prepared.plane.shape == (INPUT_SIDE_PX, INPUT_SIDE_PX)
    assert prepared.frame.to_original(prepared.plane).shape == shape


def test_grey_of_coloured_photograph_is_declined() -> None:
    colours = np.zeros((40, 40, 3), dtype=np.uint8)
    colours[..., 0] = 200
    with pytest.raises(RejectedInput) as caught:
        grey_of(colours)
    assert caught.value.code is Code.IMAGE_COLOURED


def test_grey_of_grey_picture_with_coloured_label_passes() -> None:
    picture = head()
    colours = np.repeat(picture[..., None], 4, axis=2)
    colours[:10, :40, :3] = (255, 255, 0)
    assert np.abs(grey_of(colours)[20:] - picture[20:]).max() < 1.0
