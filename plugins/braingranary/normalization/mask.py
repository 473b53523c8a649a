"""A staged segmentation to labels: which slices of the image series it refers to show what it marks.

A SEG is a series of its own that names the images it was drawn on. Those images are looked up in raw/ beside it, in the
same archive and collection, and read again for their geometry, so that the labels depend on nothing but the staged
bytes and not on which of the two series was normalized first. Fails with RejectedInput: SERIES_EMPTY where the images
were not staged, or whatever makes the images or the mask unusable.
"""

from __future__ import annotations

from braingranary.errors import Code, RejectedInput
from braingranary.normalization.labels import mask_labels
from braingranary.normalization.profile import Profile
from braingranary.normalization.raw import parse_raw_key, raw_members, read_receipt
from braingranary.normalization.segmentation import read_segmentation
from braingranary.normalization.series import normalize_series
from braingranary.normalization.tables import RowSet
from braingranary.records import Receipt
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore


def mask_rows(store: ObjectStore, receipt: Receipt, profile: Profile) -> RowSet:
    """The `labels` rows that one staged segmentation gives; raises RejectedInput."""
    segmentation = read_segmentation(raw_members(store, receipt))
    record = receipt.record
    prefix = keys.raw_prefix(record.archive, record.collection, segmentation.series_uid)
    staged = sorted(info.key for info in store.list(prefix) if info.key.endswith(".zip"))
    if not staged:
        raise RejectedInput(Code.SERIES_EMPTY, "the images that the segmentation refers to are not staged")
    images = read_receipt(store, parse_raw_key(staged[0]))
    sidecar = normalize_series(raw_members(store, images), images, profile).sidecar
    rows = RowSet()
    rows.add("labels", mask_labels(sidecar, segmentation.points_mm))
    return rows
