"""Labels: which series and slices show a tumour, and who says so.

A collection that was gathered for its tumours labels its series as a whole (`collection`): that says the patient has a
tumour, not that a slice shows it. A segmentation labels single slices (`mask`); see `segmentation`. Neither is ever
guessed from text. Goes in: the staged record, or mask points and a sidecar. Comes out: rows of table `labels`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from braingranary.normalization.sidecar import Sidecar, SidecarPack
from braingranary.records import SeriesRecord
from braingranary.storage.row_files import Row

# Public collections in which every subject has an intracranial tumour, by the archive's own description of them.
TUMOR_COLLECTIONS: Final = frozenset(
    {
        "ACRIN-DSC-MR-Brain",  # recurrent glioblastoma
        "ACRIN-FMISO-Brain",  # newly diagnosed glioblastoma
        "Brain-TR-GammaKnife",  # metastases
        "Brain-Tumor-Progression",  # glioblastoma
        "Burdenko-GBM-Progression",
        "CPTAC-GBM",
        "GLIS-RT",  # glioma
        "ICDC-Glioma",  # dogs
        "IvyGAP",  # glioblastoma
        "LGG-1p19qDeletion",
        "Meningioma-SEG-CLASS",
        "MU-Glioma-Post",
        "Pretreat-MetsToBrain-Masks",
        "QIN GBM Treatment Response",
        "QIN-BRAIN-DSC-MRI",  # glioma
        "REMBRANDT",  # glioma
        "RHUH-GBM",
        "RIDER NEURO MRI",  # recurrent glioblastoma
        "Sample-Lesion",  # the built-in sample's, implanted
        "TCGA-GBM",
        "TCGA-LGG",
        "UCSF-PDGM",
        "UCSD-PTGBM",
        "UPENN-GBM",
        "Vestibular-Schwannoma-MC-RC",
        "Vestibular-Schwannoma-SEG",
        "Yale-Brain-Mets-Longitudinal",
    }
)
# Sources whose subjects were recruited as free of a brain tumour.
HEALTHY_COLLECTIONS: Final = frozenset({"HCP_1200", "IXI", "Sample-Healthy"})
TUMOR_FIELD: Final = "CollectionHasTumor"
"""Archive field (true or false) by which an archive of one's own says the same of its collections."""


def collection_labels(series_uid: str, record: SeriesRecord) -> tuple[Row, ...]:
    """The label that a series has by its collection: one row, or none where the collection says nothing."""
    told = record.extra.get(TUMOR_FIELD)
    if isinstance(told, bool):
        tumor = told
    elif record.collection in TUMOR_COLLECTIONS:
        tumor = True
    elif record.collection in HEALTHY_COLLECTIONS:
        tumor = False
    else:
        return ()
    return (_row(series_uid, tumor, "collection"),)


def mask_labels(sidecar: Sidecar, points_mm: NDArray[np.float64]) -> tuple[Row, ...]:
    """A row for every slice of the first volume: does it hold a marked voxel?

    `points_mm` are the centres of all marked voxels, shape (points, 3), RAS+ millimetres. A slice holds a point that
    lies within half a slice distance of it and inside its image. Nothing is said where no point meets the volume.
    """
    rows: list[Row] = []
    marked = False
    for pack in sidecar.volumes[0].packs:
        hit = _slices_hit(pack, points_mm)
        marked |= bool(hit)
        rows.extend(
            _row(sidecar.series_uid, index in hit, "mask", pack, slice_index=index) for index in range(pack.slices)
        )
    return tuple(rows) if marked else ()


def _slices_hit(pack: SidecarPack, points_mm: NDArray[np.float64]) -> frozenset[int]:
    inverse = np.linalg.inv(np.array(pack.affine))
    index = np.rint(points_mm @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.int64)
    shape = np.array([pack.slices, pack.height, pack.width])
    inside = ((index >= 0) & (index < shape)).all(axis=1)
    return frozenset(int(number) for number in np.unique(index[inside, 0]))


def _row(
    series_uid: str, tumor: bool, source: str, pack: SidecarPack | None = None, slice_index: int | None = None
) -> Row:
    return {
        "series_uid": series_uid,
        "plane": None if pack is None else str(pack.plane),
        "volume": None if pack is None else 0,
        "slice_index": slice_index,
        "tumor": tumor,
        "source": source,
    }
