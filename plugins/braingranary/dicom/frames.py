"""Frames: every image of every file in one shape, whether it came alone, as multi-frame or as a tile of a mosaic.

In: a walked file. Out: `Frame` values with geometry in DICOM's own LPS millimetres, traits that may tell volumes
apart, rescale and a view of the pixels. Fails with RejectedInput: GEOMETRY_MISSING, GEOMETRY_INVALID and what
`dicom.pixels` raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from braingranary.dicom import tags
from braingranary.dicom.assembly.geometry import Grid, checked_grid
from braingranary.dicom.elements import NOTHING, Elements
from braingranary.dicom.header.traits import (
    Timing,
    Traits,
    classic_timing,
    classic_traits,
    ras_direction,
    rounded,
    seconds_of_date_time,
)
from braingranary.dicom.header.vocabulary import image_kind
from braingranary.dicom.limits import Limits
from braingranary.dicom.mosaic import Mosaic, mosaic_of
from braingranary.dicom.pixel_spool import SpooledPixels, StoredPixels
from braingranary.dicom.pixels import PixelFormat, pixel_format, read_frames
from braingranary.dicom.walk import WalkedFile
from braingranary.errors import Code, RejectedInput

_SPATIAL_DIMENSIONS: Final = frozenset((tags.IN_STACK_POSITION_NUMBER, tags.IMAGE_POSITION_PATIENT, tags.STACK_ID))
POSITION_MAX_MM: Final = 10_000.0
"""Ten metres from the scanner's centre is no patient (NaN fails the comparison too)."""


@dataclass(slots=True, eq=False, kw_only=True)
class Frame:
    """One image."""

    grid: Grid
    position: tuple[float, float, float]
    """Centre of the first voxel, LPS millimetres."""
    traits: Traits
    timing: Timing
    slope: float
    intercept: float
    form: PixelFormat
    stored: StoredPixels
    """Stored values, in memory or in a scratch file; see `pixels`."""
    file: int
    """Index of the file it came from."""

    @property
    def pixels(self) -> NDArray[Any]:
        """Stored values (rows, columns), unused bits still in; read anew each time where they lie in a file."""
        return self.stored.load() if isinstance(self.stored, SpooledPixels) else self.stored


def frames_of(walked: WalkedFile, file: int, limits: Limits) -> list[Frame]:
    """All frames of one file."""
    form = pixel_format(walked, limits)
    elements = walked.elements
    per_frame = elements.items(tags.PER_FRAME_FUNCTIONAL_GROUPS)
    if per_frame and len(per_frame) != form.frames:
        raise RejectedInput(Code.PIXEL_DATA_MISMATCH, "functional groups and frames differ in number")
    if form.frames > 1 and not per_frame:
        raise RejectedInput(Code.GEOMETRY_MISSING, "several frames without functional groups")
    mosaic = None if per_frame else mosaic_of(elements, form)
    if per_frame:
        # geometry first: a file that lacks it is refused before anything is decoded
        shared = elements.item(tags.SHARED_FUNCTIONAL_GROUPS)
        places = [_Groups(elements, shared, own) for own in per_frame]
        described = [(place.grid(form), place.position(), place) for place in places]
        pixels = read_frames(walked, form)
        return [
            Frame(
                grid=grid,
                position=position,
                traits=place.traits(),
                timing=place.timing(index),
                slope=place.rescale(tags.RESCALE_SLOPE) or 1.0,
                intercept=place.rescale(tags.RESCALE_INTERCEPT) or 0.0,
                form=form,
                stored=frame,
                file=file,
            )
            for index, ((grid, position, place), frame) in enumerate(zip(described, pixels, strict=True))
        ]
    return _classic(walked, form, file, mosaic)


def _classic(walked: WalkedFile, form: PixelFormat, file: int, mosaic: Mosaic | None) -> list[Frame]:
    elements = walked.elements
    grid = checked_grid(
        elements.numbers(tags.IMAGE_ORIENTATION_PATIENT),
        elements.numbers(tags.PIXEL_SPACING),
        rows=form.rows if mosaic is None else mosaic.rows,
        columns=form.columns if mosaic is None else mosaic.columns,
        thickness=elements.number(tags.SLICE_THICKNESS),
        distance=elements.number(tags.SPACING_BETWEEN_SLICES),
    )
    told = (elements.numbers(tags.IMAGE_POSITION_PATIENT),) if mosaic is None else mosaic.positions(elements, grid)
    places = [_checked_position(place) for place in told]
    (pixels,) = read_frames(walked, form)
    tiles = zip(places, (pixels,) if mosaic is None else mosaic.tiles(pixels), strict=True)
    traits = classic_traits(elements)
    timing = classic_timing(elements)
    slope = elements.number(tags.RESCALE_SLOPE) or 1.0  # a slope of 0 is a writer's way of saying nothing
    intercept = elements.number(tags.RESCALE_INTERCEPT) or 0.0
    return [
        Frame(
            grid=grid,
            position=place,
            traits=traits,
            timing=timing,
            slope=slope,
            intercept=intercept,
            form=form,
            stored=tile,
            file=file,
        )
        for place, tile in tiles
    ]


class _Groups:
    """Functional groups of one frame: its own first, then the shared ones (PS3.3 section C.7.6.16)."""

    def __init__(self, whole: Elements, shared: Elements, own: Elements) -> None:
        self._whole = whole
        self._shared = shared
        self._own = own

    def _group(self, tag: int) -> Elements:
        found = self._own.items(tag) or self._shared.items(tag)
        return found[0] if found else NOTHING

    def grid(self, form: PixelFormat) -> Grid:
        measures = self._group(tags.PIXEL_MEASURES_SEQUENCE)
        orientation = self._group(tags.PLANE_ORIENTATION_SEQUENCE)
        return checked_grid(
            orientation.numbers(tags.IMAGE_ORIENTATION_PATIENT),
            measures.numbers(tags.PIXEL_SPACING),
            rows=form.rows,
            columns=form.columns,
            thickness=measures.number(tags.SLICE_THICKNESS),
            distance=measures.number(tags.SPACING_BETWEEN_SLICES),
        )

    def position(self) -> tuple[float, float, float]:
        return _checked_position(self._group(tags.PLANE_POSITION_SEQUENCE).numbers(tags.IMAGE_POSITION_PATIENT))

    def rescale(self, tag: int) -> float | None:
        return self._group(tags.PIXEL_VALUE_TRANSFORMATION_SEQUENCE).number(tag)

    def timing(self, index: int) -> Timing:
        """When the frame was taken; `index` is its number in the file."""
        content = self._group(tags.FRAME_CONTENT_SEQUENCE)
        uid = self._whole.text(tags.SOP_INSTANCE_UID)
        return Timing(
            time_s=seconds_of_date_time(content.text(tags.FRAME_ACQUISITION_DATE_TIME)),
            trigger_time_ms=self._group(tags.CARDIAC_SYNCHRONIZATION_SEQUENCE).number(
                tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME
            ),
            instance_number=(self._whole.integer(tags.INSTANCE_NUMBER) or 0, index),
            instance_uid="" if uid is None else f"{uid}#{index}",
        )

    def traits(self) -> Traits:
        content = self._group(tags.FRAME_CONTENT_SEQUENCE)
        diffusion = self._group(tags.MR_DIFFUSION_SEQUENCE)
        gradient = diffusion.item(tags.DIFFUSION_GRADIENT_DIRECTION_SEQUENCE)
        frame_type = self._group(tags.MR_FRAME_TYPE_SEQUENCE)
        component = frame_type.text(tags.COMPLEX_IMAGE_COMPONENT)
        kinds = (*frame_type.texts(tags.FRAME_TYPE)[2:], *([component] if component else []))
        pointers = self._whole.items(tags.DIMENSION_INDEX_SEQUENCE)
        values = content.numbers(tags.DIMENSION_INDEX_VALUES)
        return Traits(
            image_kind=image_kind(kinds),
            echo_time_ms=rounded(self._group(tags.MR_ECHO_SEQUENCE).number(tags.EFFECTIVE_ECHO_TIME)),
            inversion_time_ms=rounded(self._group(tags.MR_MODIFIER_SEQUENCE).number(tags.INVERSION_TIMES)),
            b_value=rounded(diffusion.number(tags.DIFFUSION_B_VALUE)),
            b_direction=ras_direction(gradient.numbers(tags.DIFFUSION_GRADIENT_ORIENTATION)),
            temporal_position=content.integer(tags.TEMPORAL_POSITION_INDEX),
            label_type=self._group(tags.MR_ARTERIAL_SPIN_LABELING_SEQUENCE).text(tags.ASL_CONTEXT),
            dimensions=tuple(
                int(value)
                for pointer, value in zip(pointers, values, strict=False)
                if pointer.pointer(tags.DIMENSION_INDEX_POINTER) not in _SPATIAL_DIMENSIONS
            )
            or None,
            acquisition=content.integer(tags.FRAME_ACQUISITION_NUMBER),
        )


def _checked_position(numbers: tuple[float, ...]) -> tuple[float, float, float]:
    if len(numbers) != 3:
        raise RejectedInput(Code.GEOMETRY_MISSING, "no image position")
    x, y, z = numbers
    if not all(abs(value) < POSITION_MAX_MM for value in numbers):
        raise RejectedInput(Code.GEOMETRY_INVALID, "image position out of bounds")
    return x, y, z
