"""PNG and JPEG as a web user uploads them: hostile bytes to one grey picture.

Only two decoders are ever asked, and only for pictures whose header stays within the pixel budget. Palettes,
transparency, 16 bit, CMYK and the orientation that cameras note are understood; animations are refused, because it
would be a guess which of their pictures is meant. A side above `SIDE_MAX_PX` is averaged down by a whole factor: the
network looks at far fewer pixels, and memory stays small.

In: bytes that begin as a PNG or a JPEG. Out: `Raster`. Fails with RejectedInput: IMAGE_INVALID, IMAGE_TOO_LARGE,
IMAGE_COLOURED for a coloured picture.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from braingranary.detector.model.preprocessing.picture import PIXEL_BUDGET_PX, Picture, grey_of
from braingranary.errors import Code, RejectedInput

SIDE_MAX_PX: Final = 2048
SCANS_MAX: Final = 64
"""Of a progressive JPEG, which has about ten: each is a whole pass over the picture, however few its bytes."""
_START_OF_SCAN: Final = b"\xff\xda"  # within a scan 0xFF is always followed by 0x00 or a restart marker
_FORMATS: Final = ("PNG", "JPEG")
_BROKEN: Final = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)
"""What Pillow's parsers raise on broken bytes; a program error of ours would show in the tests of sound pictures."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Raster:
    """One decoded picture."""

    picture: Picture
    """(rows, columns), uint8 or uint16, upright."""
    scale: int
    """Sides of the upload over sides of `picture`."""


def read_raster(data: bytes) -> Raster:
    """The one picture in `data`."""
    if data.startswith(b"\xff\xd8") and data.count(_START_OF_SCAN) > SCANS_MAX:
        raise RejectedInput(Code.IMAGE_INVALID, f"a JPEG of more than {SCANS_MAX} scans")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                return _read(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except (*_BROKEN, zlib.error) as error:
        raise RejectedInput(Code.IMAGE_INVALID, f"the picture cannot be read ({type(error).__name__})") from None


def _read(image: Image.Image) -> Raster:
    width, height = image.size
    if width * height > PIXEL_BUDGET_PX:
        raise _too_large()
    if image.format == "PNG" and getattr(image, "is_animated", False):
        raise RejectedInput(Code.IMAGE_INVALID, "an animation is no picture of one slice")
    ImageOps.exif_transpose(image, in_place=True)
    scale = -(-max(width, height) // SIDE_MAX_PX)
    if image.mode.startswith("I"):
        return Raster(picture=_wide(np.asarray(image), scale), scale=scale)
    grey = image.mode in {"1", "L", "LA"}
    alpha = image.mode.endswith("A") or "transparency" in image.info
    mode = ("L" if grey else "RGB") + ("A" if alpha else "")
    plain = image if image.mode == mode else image.convert(mode)  # to convert to the same mode would be to copy
    values = np.asarray(_on_black(plain.reduce(scale) if scale > 1 else plain))
    # A grey picture saved in colour has to give the very same grey levels as the grey one.
    return Raster(picture=values if grey else np.rint(grey_of(values)).astype(np.uint8), scale=scale)


def _on_black(image: Image.Image) -> Image.Image:
    """Transparent parts as air: black."""
    if not image.mode.endswith("A"):
        return image
    opaque = image.mode.removesuffix("A")
    return Image.composite(image.convert(opaque), Image.new(opaque, image.size), image.getchannel("A"))


def _wide(values: Picture, scale: int) -> Picture:
    """More than 8 bits: as uint16, means over blocks of `scale` a side; a last part of a block is left off."""
    if scale > 1:
        rows, columns = (side // scale for side in values.shape)
        blocks = values[: rows * scale, : columns * scale].reshape(rows, scale, columns, scale)
        values = np.rint(blocks.mean(axis=(1, 3), dtype=np.float32))
    return np.asarray(np.clip(values, 0, np.iinfo(np.uint16).max).astype(np.uint16))


def _too_large() -> RejectedInput:
    return RejectedInput(Code.IMAGE_TOO_LARGE, f"a picture may have {PIXEL_BUDGET_PX} pixels at most")
