"""What the routes of pictures and volumes take."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from serving.api.schemas import Parameters, Plane

SIDE_PIXELS_MIN: Final = 16
SIDE_PIXELS_MAX: Final = 1024  # four times the usual matrix: more shows nothing more
SHEET_TILES_MAX: Final = 64
TILE_PIXELS_MAX: Final = 256
VOLUME_MAX: Final = 998  # normalization makes at most 999


class PictureParameters(Parameters):
    """How one slice is to be shown."""

    format: Literal["jpeg", "png"] = Field(default="jpeg", description="jpeg without a size is the packed bytes")
    size: Annotated[int, Field(ge=SIDE_PIXELS_MIN, le=SIDE_PIXELS_MAX)] | None = Field(
        default=None, description="longer side in square pixels; without it every pixel as it is packed"
    )


class SheetParameters(Parameters):
    """What a contact sheet is to show."""

    plane: Plane | None = Field(default=None, description="the acquired plane where none is given")
    volume: Annotated[int, Field(ge=0, le=VOLUME_MAX)] = 0
    tiles: Annotated[int, Field(ge=1, le=SHEET_TILES_MAX)] = Field(
        default=36, description="at most so many slices, evenly chosen"
    )
    size: Annotated[int, Field(ge=SIDE_PIXELS_MIN, le=TILE_PIXELS_MAX)] = Field(
        default=160, description="side of one tile in pixels"
    )


class VolumeParameters(Parameters):
    """Which volume of a series."""

    volume: Annotated[int, Field(ge=0, le=VOLUME_MAX)] = 0
