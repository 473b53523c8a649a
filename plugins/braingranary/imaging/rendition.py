"""Renditions: one slice at another size or in another format, for eyes.

Goes in: a grey picture and the size of its pixels. Comes out: a picture whose pixels are square, or its bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def fitted(picture: NDArray[np.uint8], side_pixels: int, *, pixel_aspect: float = 1.0) -> NDArray[np.uint8]:
    """`picture`, shape (height, width), with its longer side at `side_pixels` and square pixels.

    `pixel_aspect` is pixel height over pixel width. Made smaller by area (Lanczos with its support widened, so that
    nothing aliases), made larger by the same filter.
    """
    height, width = picture.shape
    zoom = side_pixels / max(height * pixel_aspect, width)
    size = (max(1, round(width * zoom)), max(1, round(height * pixel_aspect * zoom)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.LANCZOS))
