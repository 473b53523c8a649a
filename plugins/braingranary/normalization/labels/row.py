"""One row of table `labels`: what is labelled, with what, and who says so."""

from __future__ import annotations

from braingranary.normalization.sidecar import SidecarPack
from braingranary.storage.row_files import Row


def label_row(
    series_uid: str, tumor: bool, source: str, pack: SidecarPack | None = None, slice_index: int | None = None
) -> Row:
    """The label of one slice of `pack` (of the first volume), or of the whole series where `pack` is None."""
    return {
        "series_uid": series_uid,
        "plane": None if pack is None else str(pack.plane),
        "volume": None if pack is None else 0,
        "slice_index": slice_index,
        "tumor": tumor,
        "source": source,
    }
