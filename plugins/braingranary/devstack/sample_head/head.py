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
SKULL_BASE_INDEX: Final = PAD_BELOW_MM + 22
"""Below this slice of the padded grid the layers are muscle, not bone."""
SHELL_STEPS_PER_MM: Final = 8
CAPSULE_CENTRE_RAS_MM: Final = (83.0, 8.0, 2.0)
CAPSULE_RADIUS_MM: Final = 6.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Head:
    """Tissue codes on a 1 mm grid; `affine` maps voxel (i, j, k) to RAS+ millimetres."""

    brain: NDArray[np.uint8]
    """Template intensity 1..255, 0 outside the brain."""
    shell: NDArray[np.uint8]
    """Distance from the brain case in 1/8 mm, at most 255; meaningful where `brain` is 0."""
    capsule: NDArray[np.bool_]
    affine: NDArray[np.float64]
    lesion: Lesion | None = None

    def intensities(self, contrast: Contrast) -> NDArray[np.float32]:
        """Signal of every voxel under `contrast`, arbitrary units with white matter of T1 near 490, float32."""
        signal = _layer_table(contrast, neck=False)[self.shell]
        signal[:, :, :SKULL_BASE_INDEX] = _layer_table(contrast, neck=True)[self.shell[:, :, :SKULL_BASE_INDEX]]
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
    """Distance outwards from the brain case and neck, in 1/8 mm; worked out on every second voxel for speed."""
    coarse = brain[::2, ::2, ::2]
    case = ndimage.gaussian_filter(coarse.astype(np.float32), sigma=4.0, mode="nearest") > 0.35
    i, j, k = np.ogrid[: coarse.shape[0], : coarse.shape[1], : coarse.shape[2]]
    neck = ((i - 49) / 27.0) ** 2 + ((j - 47) / 30.0) ** 2 < 1.0
    torso = case | (neck & (k < SKULL_BASE_INDEX // 2))
    solid = coarse | (ndimage.gaussian_filter(torso.astype(np.float32), sigma=3.0, mode="nearest") > 0.5)
    distance_mm = 2.0 * ndimage.distance_transform_edt(~solid).astype(np.float32)
    fine = ndimage.zoom(distance_mm, 2, order=1, grid_mode=True, mode="nearest")
    fine = fine[: brain.shape[0], : brain.shape[1], : brain.shape[2]]
    return np.asarray(np.minimum(np.round(fine * SHELL_STEPS_PER_MM), 255), dtype=np.uint8)


def _layer_table(contrast: Contrast, *, neck: bool) -> NDArray[np.float32]:
    distance_mm = np.arange(256) / SHELL_STEPS_PER_MM
    inner = contrast.muscle if neck else contrast.fluid
    bone = contrast.muscle if neck else contrast.bone
    edges_mm = (0.0, 2.5, 3.5, 8.0, 9.0, 13.0, 14.5)
    signal = (inner, inner, bone, bone, contrast.scalp, contrast.scalp, 0.0)
    return np.asarray(np.interp(distance_mm, edges_mm, signal), dtype=np.float32)


def _ball(
    shape: tuple[int, ...], affine: NDArray[np.float64], centre_mm: tuple[float, float, float], radius_mm: float
) -> NDArray[np.bool_]:
    centre = np.linalg.solve(affine, np.array([*centre_mm, 1.0]))[:3]
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return np.asarray((i - centre[0]) ** 2 + (j - centre[1]) ** 2 + (k - centre[2]) ** 2 < radius_mm**2)
