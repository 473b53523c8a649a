"""A staged segmentation to labels: which slices of the image series it refers to show what it marks.

A SEG is a series of its own that names the images it was drawn on. Their geometry stands in their sidecar; where there
is none yet, the images are looked up in raw/ and read for it, so that the labels do not depend on which of the two
series was normalized first. A segmentation speaks only of images of its own archive and collection. Fails with
RejectedInput: ImagesMissing (SERIES_EMPTY) where those images are not staged yet, or whatever makes the images or the
mask unusable.
"""

from __future__ import annotations

from collections.abc import Iterable

from braingranary.errors import Code, RejectedInput
from braingranary.normalization.labels import mask_labels
from braingranary.normalization.profile import Profile
from braingranary.normalization.raw import parse_raw_key, raw_members, read_receipt
from braingranary.normalization.segmentation import read_segmentation
from braingranary.normalization.series import normalize_series
from braingranary.normalization.sidecar import Sidecar
from braingranary.normalization.tables import RowSet
from braingranary.records import Receipt, SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore


class ImagesMissing(RejectedInput):
    """The images that a segmentation was drawn on are not staged: it waits for them."""

    def __init__(self, prefix: str) -> None:
        super().__init__(Code.SERIES_EMPTY, "the images that the segmentation refers to are not staged")
        self.prefix = prefix
        """Where their raw zips will lie."""

    def __reduce__(self) -> tuple[type[ImagesMissing], tuple[str]]:  # type: ignore[override]
        """Built again from the prefix alone."""
        return type(self), (self.prefix,)


def mask_rows(store: ObjectStore, files: Iterable[tuple[str, bytes]], receipt: Receipt, profile: Profile) -> RowSet:
    """The `labels` rows that the files of one staged segmentation give; raises RejectedInput."""
    segmentation = read_segmentation(files)
    sidecar = _written(store, segmentation.series_uid, receipt.record, profile)
    if sidecar is None:
        sidecar = _made(store, segmentation.series_uid, receipt.record, profile)
    rows = RowSet()
    rows.add("labels", mask_labels(sidecar, segmentation.points_mm))
    return rows


def _written(store: ObjectStore, series_uid: str, record: SeriesRecord, profile: Profile) -> Sidecar | None:
    try:
        sidecar = Sidecar.from_json(store.get(keys.sidecar(profile.name, series_uid)))
    except RejectedInput as error:
        if error.code is Code.OBJECT_MISSING:
            return None
        raise
    return sidecar if (sidecar.archive, sidecar.collection) == (record.archive, record.collection) else None


def _made(store: ObjectStore, series_uid: str, record: SeriesRecord, profile: Profile) -> Sidecar:
    prefix = keys.raw_prefix(record.archive, record.collection, series_uid)
    staged = sorted(info.key for info in store.list(prefix) if info.key.endswith(".zip"))
    if not staged:
        raise ImagesMissing(prefix)
    images = read_receipt(store, parse_raw_key(staged[0]))
    return normalize_series(raw_members(store, images), images, profile).sidecar
