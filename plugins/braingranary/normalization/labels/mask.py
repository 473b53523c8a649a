"""A staged segmentation to labels: which slices of the image series it refers to show what it marks.

A SEG is a series of its own that names the images it was drawn on. Their geometry stands in their sidecar; where there
is none yet, the images are looked up in raw/ and read for it, so that the labels do not depend on which of the two
series was normalized first. A segmentation speaks only of images of its own archive and collection. Fails with
RejectedInput: ImagesMissing (SERIES_EMPTY) where those images are not staged yet, or whatever makes the images or the
mask unusable.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput
from braingranary.normalization.labels.row import label_row
from braingranary.normalization.labels.segmentation import read_segmentation
from braingranary.normalization.profile import Profile
from braingranary.normalization.raw import parse_raw_key, raw_file, read_receipt
from braingranary.normalization.readers import read_staged
from braingranary.normalization.series import normalize_series
from braingranary.normalization.sidecar import Sidecar, SidecarPack
from braingranary.normalization.tables import RowSet
from braingranary.records import Receipt, SeriesRecord
from braingranary.storage import keys
from braingranary.storage.row_files import Row
from braingranary.storage.store import ObjectStore


class ImagesMissing(RejectedInput):
    """The images that a segmentation was drawn on are not staged: it waits for them."""

    def __init__(self, prefix: str) -> None:
        super().__init__(Code.SERIES_EMPTY, "the images that the segmentation refers to are not staged")
        self.prefix = prefix
        """Where their raw objects will lie."""

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
    staged = sorted(info.key for info in store.list(prefix) if keys.is_raw_object(info.key))
    if not staged:
        raise ImagesMissing(prefix)
    images = read_receipt(store, parse_raw_key(staged[0]))
    with raw_file(store, images) as file:
        return normalize_series(read_staged(file, images), images, profile).sidecar


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
            label_row(sidecar.series_uid, index in hit, "mask", pack, slice_index=index) for index in range(pack.slices)
        )
    return tuple(rows) if marked else ()


def _slices_hit(pack: SidecarPack, points_mm: NDArray[np.float64]) -> frozenset[int]:
    inverse = np.linalg.inv(np.array(pack.affine))
    index = np.rint(points_mm @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.int64)
    shape = np.array([pack.slices, pack.height, pack.width])
    inside = ((index >= 0) & (index < shape)).all(axis=1)
    return frozenset(int(number) for number in np.unique(index[inside, 0]))
