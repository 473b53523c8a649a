"""JPEG: one grey image to bytes and back, the same bytes for the same pixels everywhere.

Uses libjpeg-turbo with the accurate integer transform, whose results do not depend on the processor. Goes in: uint8
(height, width). Comes out: baseline JFIF. Fails with RejectedInput(PIXEL_DECODE_FAILED) on bytes that are no grey JPEG.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput

QUALITY_DEFAULT: Final = 90
SIDE_PIXELS_MAX: Final = 65500  # limit of the format as libjpeg writes it


def encode(grey: NDArray[np.uint8], *, quality: int = QUALITY_DEFAULT) -> bytes:
    """A baseline greyscale JPEG of `grey`, shape (height, width); raises RejectedInput(SERIES_TOO_LARGE)."""
    if max(grey.shape) > SIDE_PIXELS_MAX:
        raise RejectedInput(Code.SERIES_TOO_LARGE, "an image side exceeds what JPEG can hold")
    pixels = np.ascontiguousarray(grey)[:, :, np.newaxis]
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="GRAY", colorsubsampling="Gray")
    return data


def decode(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a greyscale JPEG, shape (height, width); raises RejectedInput(PIXEL_DECODE_FAILED)."""
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace="GRAY")
    except ValueError as error:
        raise RejectedInput(Code.PIXEL_DECODE_FAILED, "not a JPEG that can be decoded") from error
    return pixels[:, :, 0]
