"""Label of a series by its collection: that says the patient has a tumour or none, not that a slice shows one.

Only collections whose archive describes all their subjects so are listed; nothing is guessed from text.
"""

from __future__ import annotations

from typing import Final

from braingranary.normalization.labels.row import label_row
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
    return (label_row(series_uid, tumor, "collection"),)
