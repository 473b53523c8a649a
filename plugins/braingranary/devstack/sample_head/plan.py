"""What the built-in sample holds: collections, subjects and series, as data.

Two collections: `Sample-Healthy` (four subjects) and `Sample-Lesion` (three). Between them every shape that matters
is there once: three planes, two vendors, classic and enhanced multi-frame, JPEG 2000, big-endian, implicit VR, 12 and
16 bits, oblique, thick slices, masks as DICOM SEG, and two series that must be rejected with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from braingranary.devstack.sample_head.acquire import Grid, Traits
from braingranary.devstack.sample_head.contrast import FLAIR, T1, T1CE, T2, Contrast
from braingranary.devstack.sample_head.lesion import LesionPlan
from braingranary.errors import Code
from braingranary.records import Plane

HEALTHY: Final = "Sample-Healthy"
LESION: Final = "Sample-Lesion"


class Form(StrEnum):
    """How a series is laid out in files."""

    CLASSIC = "classic"
    ENHANCED = "enhanced"
    LOCALIZER = "localizer"
    TRUNCATED = "truncated"


class Encoding(StrEnum):
    """How pixels and headers are encoded."""

    EXPLICIT_LITTLE = "explicit_little"
    IMPLICIT_LITTLE = "implicit_little"
    EXPLICIT_BIG = "explicit_big"
    JPEG_2000 = "jpeg_2000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """A scanner as its headers tell it."""

    manufacturer: str
    model: str
    software: str
    tesla: float
    site: str
    bits_stored: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPlan:
    """One invented person and the one visit."""

    name: str
    collection: str
    sex: str
    age_years: int
    visit: date
    scanner: Scanner
    traits: Traits
    lesion: LesionPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPlan:
    """One series of images, and its mask if `mask` is set."""

    subject: SubjectPlan
    number: int
    folder: str
    description: str
    contrast: Contrast
    grid: Grid
    form: Form = Form.CLASSIC
    encoding: Encoding = Encoding.EXPLICIT_LITTLE
    bits_stored: int = 12
    full_scale: float = 1000.0
    """Stored value of a signal of 1000."""
    rescale_slope: float | None = None
    mask: bool = False
    expected_reject: Code | None = None

    @property
    def key(self) -> str:
        """Name that UIDs are derived from."""
        return f"{self.subject.collection}/{self.subject.name}/{self.folder}"


PRISMA: Final = Scanner(manufacturer="SIEMENS", model="Prisma", software="syngo MR E11", tesla=2.89, site="Granary A")
AVANTO: Final = Scanner(manufacturer="SIEMENS", model="Avanto", software="syngo MR B19", tesla=1.5, site="Granary B")
VIDA: Final = Scanner(
    manufacturer="Siemens Healthineers", model="MAGNETOM Vida", software="syngo MR XA30", tesla=2.89, site="Granary A"
)
INGENIA: Final = Scanner(
    manufacturer="Philips Medical Systems", model="Ingenia", software="5.6.1\\5.6.1.0", tesla=3.0, site="Granary C"
)

HEALTHY_1: Final = SubjectPlan(
    name="SH-001", collection=HEALTHY, sex="F", age_years=34, visit=date(2024, 3, 11), scanner=PRISMA,
    traits=Traits(seed=101, size=(1.0, 1.0, 1.0), pose_deg=(2.0, -1.0, 1.5), curve=0.10,
                  shading=(0.08, 0.05, 0.06), noise=11.0),
)  # fmt: skip
HEALTHY_2: Final = SubjectPlan(
    name="SH-002", collection=HEALTHY, sex="M", age_years=51, visit=date(2024, 3, 14), scanner=INGENIA,
    traits=Traits(seed=102, size=(1.04, 1.02, 1.03), pose_deg=(-4.0, 1.0, -2.0), curve=-0.12,
                  shading=(-0.10, 0.12, -0.04), noise=8.0),
)  # fmt: skip
HEALTHY_3: Final = SubjectPlan(
    name="SH-003", collection=HEALTHY, sex="F", age_years=27, visit=date(2024, 4, 2), scanner=VIDA,
    traits=Traits(seed=103, size=(0.96, 0.97, 0.98), pose_deg=(1.0, 2.5, -1.0), curve=0.20,
                  shading=(0.03, -0.12, 0.10), noise=14.0),
)  # fmt: skip
HEALTHY_4: Final = SubjectPlan(
    name="SH-004", collection=HEALTHY, sex="M", age_years=63, visit=date(2024, 4, 19), scanner=AVANTO,
    traits=Traits(seed=104, size=(0.98, 1.03, 1.0), pose_deg=(5.0, 0.0, 2.0), curve=0.0,
                  shading=(0.12, 0.02, -0.08), noise=16.0),
)  # fmt: skip
LESION_1: Final = SubjectPlan(
    name="SL-001", collection=LESION, sex="M", age_years=58, visit=date(2024, 5, 6), scanner=AVANTO,
    traits=Traits(seed=201, size=(1.02, 0.98, 1.01), pose_deg=(-2.0, 0.5, 3.0), curve=0.05,
                  shading=(-0.06, 0.10, 0.05), noise=13.0),
    lesion=LesionPlan(centre_ras_mm=(30.0, 28.0, 24.0), radius_mm=17.0, seed=2101),
)  # fmt: skip
LESION_2: Final = SubjectPlan(
    name="SL-002", collection=LESION, sex="F", age_years=45, visit=date(2024, 5, 21), scanner=INGENIA,
    traits=Traits(seed=202, size=(0.97, 1.0, 0.97), pose_deg=(3.0, -2.0, -1.0), curve=-0.08,
                  shading=(0.10, 0.0, 0.08), noise=9.0),
    lesion=LesionPlan(centre_ras_mm=(-42.0, -20.0, 2.0), radius_mm=14.0, seed=2207),
)  # fmt: skip
LESION_3: Final = SubjectPlan(
    name="SL-003", collection=LESION, sex="F", age_years=66, visit=date(2024, 6, 3), scanner=PRISMA,
    traits=Traits(seed=203, size=(0.99, 1.03, 1.02), pose_deg=(0.0, 1.0, 1.0), curve=0.14,
                  shading=(0.0, -0.08, 0.12), noise=12.0),
    lesion=LesionPlan(centre_ras_mm=(26.0, -52.0, 34.0), radius_mm=15.0, seed=2303),
)  # fmt: skip


def _grid(
    plane: Plane,
    matrix: int,
    slices: int,
    *,
    pixel: float,
    step: float,
    thick: float,
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0),
    reverse: bool = False,
) -> Grid:
    """A square grid; `pixel`, `step` and `thick` in millimetres, `tilt` in degrees."""
    return Grid(
        plane=plane,
        rows=matrix,
        columns=matrix,
        slices=slices,
        pixel_mm=pixel,
        spacing_mm=step,
        thickness_mm=thick,
        tilt_deg=tilt,
        reverse=reverse,
    )


SERIES: Final[tuple[SeriesPlan, ...]] = (
    SeriesPlan(
        subject=HEALTHY_1, number=1, folder="01_localizer", description="localizer_3plane", contrast=T1,
        grid=_grid(Plane.AXIAL, 128, 9, pixel=1.95, step=20.0, thick=8.0), form=Form.LOCALIZER,
        expected_reject=Code.LOCALIZER,
    ),
    SeriesPlan(
        subject=HEALTHY_1, number=2, folder="02_t1_mprage_sag", description="t1_mprage_sag_p2_iso", contrast=T1,
        grid=_grid(Plane.SAGITTAL, 208, 112, pixel=1.0, step=1.5, thick=1.5),
    ),
    SeriesPlan(
        subject=HEALTHY_1, number=3, folder="03_t2_tse_ax", description="t2_tse_tra_5mm", contrast=T2,
        grid=_grid(Plane.AXIAL, 256, 28, pixel=0.9375, step=6.0, thick=5.0),
    ),
    SeriesPlan(
        subject=HEALTHY_2, number=301, folder="301_t1_cor", description="T1W_FFE_COR", contrast=T1,
        grid=_grid(Plane.CORONAL, 256, 60, pixel=0.9375, step=3.3, thick=3.0), encoding=Encoding.JPEG_2000,
        rescale_slope=1.25, full_scale=1600.0,
    ),
    SeriesPlan(
        subject=HEALTHY_2, number=401, folder="401_flair_ax_oblique", description="FLAIR_longTR oblique AC-PC",
        contrast=FLAIR, grid=_grid(Plane.AXIAL, 256, 28, pixel=0.9, step=5.5, thick=5.0, tilt=(14.0, 3.0, 0.0)),
        rescale_slope=2.0, full_scale=1800.0,
    ),
    SeriesPlan(
        subject=HEALTHY_3, number=4, folder="04_t1_ax_enhanced", description="t1_mprage_tra_enhanced", contrast=T1,
        grid=_grid(Plane.AXIAL, 224, 68, pixel=1.0, step=2.0, thick=2.0), form=Form.ENHANCED,
    ),
    SeriesPlan(
        subject=HEALTHY_4, number=5, folder="05_t2_sag", description="t2_tse_sag_4mm", contrast=T2,
        grid=_grid(Plane.SAGITTAL, 256, 36, pixel=0.9375, step=4.4, thick=4.0, reverse=True),
        encoding=Encoding.IMPLICIT_LITTLE,
    ),
    SeriesPlan(
        subject=HEALTHY_4, number=6, folder="06_t1_cor_broken", description="t1_se_cor_interrupted", contrast=T1,
        grid=_grid(Plane.CORONAL, 192, 8, pixel=1.2, step=6.0, thick=5.0), form=Form.TRUNCATED,
        expected_reject=Code.DICOM_TRUNCATED,
    ),
    SeriesPlan(
        subject=LESION_1, number=7, folder="07_t1ce_ax", description="t1_mprage_tra_post_Gd", contrast=T1CE,
        grid=_grid(Plane.AXIAL, 224, 72, pixel=1.0, step=2.0, thick=2.0), mask=True,
    ),
    SeriesPlan(
        subject=LESION_1, number=8, folder="08_flair_ax", description="t2_tirm_tra_dark-fluid_5mm", contrast=FLAIR,
        grid=_grid(Plane.AXIAL, 256, 28, pixel=0.9375, step=5.5, thick=5.0, reverse=True), mask=True,
    ),
    SeriesPlan(
        subject=LESION_2, number=501, folder="501_flair_cor", description="FLAIR_COR_4mm", contrast=FLAIR,
        grid=_grid(Plane.CORONAL, 256, 44, pixel=0.9, step=4.4, thick=4.0), encoding=Encoding.EXPLICIT_BIG,
        rescale_slope=1.5, full_scale=1800.0, mask=True,
    ),
    SeriesPlan(
        subject=LESION_2, number=601, folder="601_t2_ax", description="T2W_TSE_AX", contrast=T2,
        grid=_grid(Plane.AXIAL, 256, 30, pixel=0.9, step=5.0, thick=4.0), encoding=Encoding.IMPLICIT_LITTLE,
        rescale_slope=1.5, full_scale=1800.0,
    ),
    SeriesPlan(
        subject=LESION_3, number=9, folder="09_t1ce_sag", description="t1_fl3d_sag_post_Gd", contrast=T1CE,
        grid=_grid(Plane.SAGITTAL, 224, 56, pixel=1.0, step=3.0, thick=3.0), bits_stored=16,
        full_scale=30000.0, mask=True,
    ),
)  # fmt: skip
"""Every series of images in the sample, in the order of their writing."""
