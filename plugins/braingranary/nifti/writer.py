"""NIfTI: a volume as a compressed RAS+ file for those who want voxels instead of images.

Axes are only flipped and transposed, never resampled; stored values stay as they are and the rescale goes into
scl_slope and scl_inter. Goes in: a `Volume`. Comes out: the bytes of a .nii.gz, equal for equal input.
"""

from __future__ import annotations

import gzip
from typing import Any, Final

import nibabel
import numpy as np

from braingranary.imaging.volume import Volume

nib: Any = nibabel  # its classes carry annotations too incomplete for strict checking

_LEVEL: Final = 6
_SCANNER: Final = 1  # qform and sform code "scanner anatomical"


def to_nifti(volume: Volume) -> bytes:
    """The bytes of a gzipped NIfTI-1 file, axes nearest to RAS+, units mm, orientation in qform and sform."""
    data: bytes = to_image(volume).to_bytes()
    return gzip.compress(data, compresslevel=_LEVEL, mtime=0)


def to_image(volume: Volume) -> Any:
    """The volume as a `nibabel.Nifti1Image` whose axes are those nearest to R, A and S."""
    voxels = volume.voxels
    if voxels.dtype in (np.int64, np.uint64, np.float16):
        voxels = voxels.astype(np.float64)  # kinds that NIfTI readers do not know
    image = nib.Nifti1Image(voxels, volume.affine)
    image.set_sform(volume.affine, _SCANNER)
    image.set_qform(volume.affine, _SCANNER, strip_shears=True)
    image.header.set_xyzt_units("mm")
    canonical = nib.as_closest_canonical(image)
    canonical.header.set_slope_inter(volume.slope, volume.intercept)
    return canonical
