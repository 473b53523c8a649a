"""Window, 8 bits and JPEG of a whole volume against np.percentile and Pillow, and the JPEG encoders alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from braingranary.imaging import intensity, jpeg
from braingranary.imaging.intensity import to_grey
from braingranary.imaging.volume import Volume
from tests.bench.harness import compare
from tests.unit.normalization import phantom

pytestmark = pytest.mark.bench
SHAPE, SPACING_MM = (176, 256, 256), (1.0, 0.9, 0.9)
QUALITY = 90
Result = tuple[float, float, list[bytes]]


@pytest.fixture(scope="module")
def volume() -> Volume:
    affine = phantom.grid_affine(phantom.SAGITTAL, SHAPE, SPACING_MM)
    return Volume(voxels=phantom.sampled(affine, SHAPE, noise=12.0), affine=affine)


def ours(volume: Volume) -> Result:
    grey, window = to_grey(volume)
    return window.low, window.high, [jpeg.encode(image, quality=QUALITY) for image in grey]


def peer(voxels: NDArray[np.uint16], air: int) -> Result:
    """As the libraries' own documentation does it; the edge of the air is given to it for nothing."""
    low, high = np.percentile(voxels[voxels > air], [0.5, 99.5])
    scaled = np.clip((voxels.astype(np.float32) - low) * (255 / (high - low)) + 0.5, 0, 255)
    return float(low), float(high), [pillow(image) for image in scaled.astype(np.uint8)]


def pillow(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def assert_equal(mine: object, theirs: object) -> None:
    assert isinstance(mine, tuple)
    assert isinstance(theirs, tuple)
    assert abs(mine[0] - theirs[0]) <= 1
    assert abs(mine[1] - theirs[1]) <= 1
    for a, b in zip(mine[2], theirs[2], strict=True):
        assert np.abs(jpeg.decode(a).astype(int) - jpeg.decode(b)).mean() <= 1


def test_bench_window_and_jpeg_against_percentile_and_pillow(volume: Volume) -> None:
    counts = np.bincount(volume.voxels.ravel(), minlength=intensity.CODES)
    edge = intensity._foreground_above(counts, int(volume.voxels.min()), intensity.DEFAULT_RULE)
    compare(
        name="normalize + JPEG",
        peer_name="np.percentile + Pillow",
        ours=lambda: ours(volume),
        peer=lambda: peer(volume.voxels, edge),
        target=2.0,
        unit="volume 176x256x256",
        equal=assert_equal,
        note="one thread each; windows agree to one bin, decoded JPEGs to 1 grey level on average",
    )


def test_bench_jpeg_alone_against_pillow(volume: Volume) -> None:
    grey = to_grey(volume)[0][40:136]

    def same(mine: object, theirs: object) -> None:
        assert_equal((0.0, 0.0, mine), (0.0, 0.0, theirs))

    compare(
        name="JPEG q90",
        peer_name="Pillow",
        ours=lambda: [jpeg.encode(image, quality=QUALITY) for image in grey],
        peer=lambda: [pillow(image) for image in grey],
        target=1.0,
        unit="96 slices 256x256",
        equal=same,
        note="both are libjpeg-turbo: what differs is the cost of getting to it",
    )
