"""The series model: what every reader gives, whatever the format of the files.

`dicom.reader` and `nifti.reader` both return a `SeriesImages`. All values are frozen, and no text that could identify a
patient is among them. Facts that only one format knows (`transfer_syntax`, UIDs) are optional.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.volume import Volume
from braingranary.records import Json, Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesHeader:
    """The de-identified header of one series: numbers, dates and words of controlled vocabularies, never free text.

    Every field is None or empty where the files do not say it.
    """

    modality: str = "MR"
    sequence: str | None = None
    """T1, T1CE, T2, FLAIR, PD, T2STAR, SWI, DWI, ADC, FA, TOF, PERFUSION, BOLD, ... or None where nothing tells."""
    contrast: bool | None = None
    """Whether contrast agent was given, as far as tags and text tell."""
    text_plane: Plane | None = None
    """Plane that the series' own text claims; geometry may disagree."""
    body_part: str | None = None
    manufacturer: str | None = None
    manufacturer_model: str | None = None
    software_versions: str | None = None
    field_strength_tesla: float | None = None
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_deg: float | None = None
    slice_thickness_mm: float | None = None
    sex: str | None = None
    """M, F or O."""
    age_years: float | None = None
    """Ages above 89 are told as 90."""
    study_date: date | None = None
    series_date: date | None = None
    series_number: int | None = None
    image_type: tuple[str, ...] = ()
    scanning_sequence: tuple[str, ...] = ()
    acquisition_type: str | None = None
    """2D or 3D."""
    extra: Mapping[str, Json] = field(default_factory=dict)
    """Further allow-listed tags under their DICOM keywords: numbers and enumerated words only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReject:
    """One file that was left out of its series."""

    name: str
    """Name of the file as handed in (a zip member's name): for a log of raw bytes, not for the catalogue."""
    code: Code
    detail: str
    """For people; free of header values."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReadVolume:
    """One volume of a series, and what tells it from the others."""

    source: Callable[[], Volume]
    """Puts the volume together; see `volume`."""
    positions_mm: tuple[float, ...]
    """Position of each slice along the normal (RAS+, the sense of increasing R, A or S)."""
    gaps: int = 0
    """Slices that are missing between the first and the last one."""
    uneven: bool = False
    """Slice distances differ beyond what missing slices explain: the affine is the best even fit."""
    duplicates: int = 0
    """Identical slices that were dropped."""
    sheared: bool = False
    """Slices are stacked off their normal (gantry tilt): the affine holds the shear."""
    image_kind: str | None = None
    """magnitude, phase, real, imaginary or a derived map (adc, fa, ...), where the image type tells."""
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    b_value: float | None = None
    """Diffusion weighting in s/mm2."""
    b_direction: tuple[float, float, float] | None = None
    """Diffusion gradient direction in patient coordinates, RAS+."""
    temporal_position: int | None = None

    @property
    def volume(self) -> Volume:
        """The voxels and their grid, slices by increasing R, A or S.

        Put together anew each time it is asked for, so that of a series of many volumes one is in memory at a time:
        whoever needs it twice keeps it.
        """
        return self.source()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeriesImages:
    """A whole series as read: its volumes, its header, and the files that had to be left out."""

    header: SeriesHeader
    volumes: tuple[ReadVolume, ...]
    """At least one. The first stands for the series (`reference_first`); the others are ordered by their traits, so
    that the same files in any order give the same volumes."""
    series_uid: str | None = None
    """SeriesInstanceUID as the files say it; None where the format has none (NIfTI)."""
    study_uid: str | None = None
    transfer_syntax: str | None = None
    """UID of the DICOM transfer syntax that most files came in."""
    file_rejects: tuple[FileReject, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a series without volumes: a reader that found none has to raise RejectedInput itself."""
        if not self.volumes:
            raise RejectedInput(Code.SERIES_EMPTY, "no volume can be made of the series")


def reference_first(volumes: Sequence[ReadVolume]) -> tuple[ReadVolume, ...]:
    """`volumes`, at least one, with the one first that stands for the series; the others keep their order.

    It is the first magnitude image, of diffusion the first of the lowest weighting; where there is none, the first.
    Reformats, contact sheets, totals and the tumour verdict look at it alone.
    """
    plain = [number for number, read in enumerate(volumes) if read.image_kind in (None, "magnitude")]
    weighted = [number for number in plain if volumes[number].b_value is not None]
    lowest = min(weighted, key=lambda number: volumes[number].b_value or 0.0, default=None)
    reference = lowest if lowest is not None else next(iter(plain), 0)
    return (volumes[reference], *volumes[:reference], *volumes[reference + 1 :])
