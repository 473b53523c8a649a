"""A head to scan: the MNI152 T1 template with an invented scalp, skull and neck, as a grid of tissue codes.

The template that nilearn ships is a real average brain (ICBM 2009a, symmetric), already stripped of its skull. Pictures
of bare brains look unlike what an archive holds, so soft layers are laid around it by distance: fluid, bone, scalp,
and muscle below the skull base. There is no face, as in most public data. Because the template is symmetric, a
fish-oil capsule is taped to the *right* temple, as is done in hospitals: with it a swapped side shows at a glance.

In: nothing but the installed nilearn wheel (no download). Out: a `Head` that gives an intensity volume a contrast.
Fails with ConfigurationError where nilearn is not installed: it is a dependency of the demo alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from braingranary.devstack.sample_head.contrast import Contrast
from braingranary.devstack.sample_head.lesion import Lesion, LesionPlan, grow
from braingranary.errors import Code, ConfigurationError

PAD_BELOW_MM: Final = 30
"""The template ends at the brain stem; the neck needs room below."""
NECK_TOP_INDEX: Final = PAD_BELOW_MM + 40
"""Slice of the padded grid up to which neck muscle reaches where the skull leaves room for it."""
FLUID_SLACK_MM: Final = 1.5
BONE_CENTRE_MM: Final = 5.5
BONE_END_MM: Final = 8.0
SCALP_START_MM: Final = 9.0
SHELL_STEPS_PER_MM: Final = 8
MUSCLE_CODE: Final = 255
CAPSULE_CENTRE_RAS_MM: Final = (83.0, 8.0, 2.0)
CAPSULE_RADIUS_MM: Final = 6.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Head:
    """Tissue codes on a 1 mm grid; `affine` maps voxel (i, j, k) to RAS+ millimetres."""

    brain: NDArray[np.uint8]
    """Template intensity 1..255, 0 outside the brain."""
    shell: NDArray[np.uint8]
    """Depth outside the brain case in 1/8 mm, or MUSCLE_CODE; meaningful where `brain` is 0."""
    capsule: NDArray[np.bool_]
    affine: NDArray[np.float64]
    lesion: Lesion | None = None

    def intensities(self, contrast: Contrast) -> NDArray[np.float32]:
        """Signal of every voxel under `contrast`, arbitrary units with white matter of T1 near 490, float32."""
        signal = _layer_table(contrast)[self.shell]
        inside = self.brain > 0
        signal[inside] = contrast.brain_table()[self.brain[inside]]
        signal[self.capsule] = contrast.capsule
        if self.lesion is not None:
            block = signal[self.lesion.block]
            block[...] = self.lesion.blend(block, contrast)
        return signal


def load_head(lesion: LesionPlan | None = None) -> Head:
    """The sample head, with `lesion` grown into it if one is given."""
    head = _healthy_head()
    if lesion is None:
        return head
    brain, grown = grow(head.brain, head.affine, lesion)
    return Head(brain=brain, shell=head.shell, capsule=head.capsule, affine=head.affine, lesion=grown)


@lru_cache(maxsize=1)
def _healthy_head() -> Head:
    template, affine = _template()
    brain = np.pad(template, ((0, 0), (0, 0), (PAD_BELOW_MM, 0)))
    affine = affine.copy()
    affine[2, 3] -= PAD_BELOW_MM
    shell = _shell(brain > 0)
    capsule = _ball(brain.shape, affine, CAPSULE_CENTRE_RAS_MM, CAPSULE_RADIUS_MM)
    return Head(brain=brain, shell=shell, capsule=capsule & (brain == 0), affine=affine)


def _template() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    try:
        import nilearn  # noqa: PLC0415 - a dependency of the demo alone
    except ImportError:
        message = "the built-in sample needs the demo requirements (nilearn)"
        raise ConfigurationError(Code.CONFIGURATION_INVALID, message) from None
    folder = Path(nilearn.__file__).parent / "datasets" / "data"
    image = nibabel.Nifti1Image.from_filename(folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
    return np.asarray(image.dataobj, dtype=np.uint8), np.asarray(image.affine, dtype=np.float64)


def _shell(brain: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Layers around the brain as codes; distances are worked out on every second voxel for speed."""
    coarse = brain[::2, ::2, ::2]
    case = coarse | (ndimage.gaussian_filter(coarse.astype(np.float32), sigma=4.0, mode="nearest") > 0.35)
    i, j, k = np.ogrid[: coarse.shape[0], : coarse.shape[1], : coarse.shape[2]]
    neck = (((i - 49) / 25.0) ** 2 + ((j - 48) / 26.0) ** 2 < 1.0) & (k < NECK_TOP_INDEX // 2)
    # Hollows of the case farther than a fluid's depth from the brain are skull base, not fluid.
    hollow_mm = np.clip(_distance_mm(coarse) - FLUID_SLACK_MM, 0.0, BONE_CENTRE_MM)
    skull_mm = _doubled(np.maximum(_distance_mm(case), hollow_mm), brain.shape)
    neck_mm = _doubled(_distance_mm(neck), brain.shape)
    outside_mm = np.where(skull_mm < BONE_END_MM, skull_mm, np.minimum(skull_mm, neck_mm))
    codes = np.minimum(np.round(outside_mm * SHELL_STEPS_PER_MM), MUSCLE_CODE - 1)
    codes[(skull_mm >= BONE_END_MM) & (neck_mm < SCALP_START_MM)] = MUSCLE_CODE
    return codes.astype(np.uint8)


def _distance_mm(coarse: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(2.0 * ndimage.distance_transform_edt(~coarse), dtype=np.float32)


def _doubled(coarse: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`coarse` on a grid twice as fine, linear in between; what sticks out of `shape` is cut off."""
    fine = coarse
    for axis, size in enumerate(shape):
        following = np.take(fine, np.minimum(np.arange(fine.shape[axis]) + 1, fine.shape[axis] - 1), axis=axis)
        pairs = np.stack((fine, (fine + following) / 2), axis=axis + 1)
        fine = pairs.reshape(*fine.shape[:axis], -1, *fine.shape[axis + 1 :]).take(range(size), axis=axis)
    return fine


def _layer_table(contrast: Contrast) -> NDArray[np.float32]:
    distance_mm = np.arange(256) / SHELL_STEPS_PER_MM
    edges_mm = (0.0, 2.5, 3.5, BONE_END_MM, SCALP_START_MM, 13.0, 14.5)
    signal = (contrast.fluid, contrast.fluid, contrast.bone, contrast.bone, contrast.scalp, contrast.scalp, 0.0)
    table = np.asarray(np.interp(distance_mm, edges_mm, signal), dtype=np.float32)
    table[MUSCLE_CODE] = contrast.muscle
    return table


def _ball(
    shape: tuple[int, ...], affine: NDArray[np.float64], centre_mm: tuple[float, float, float], radius_mm: float
) -> NDArray[np.bool_]:
    centre = np.linalg.solve(affine, np.array([*centre_mm, 1.0]))[:3]
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return np.asarray((i - centre[0]) ** 2 + (j - centre[1]) ** 2 + (k - centre[2]) ** 2 < radius_mm**2)
