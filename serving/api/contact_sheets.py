"""A contact sheet out of a pack: the chosen slices by one range GET, checked, decoded and put side by side.

Goes in: the store and the pack. Comes out: the bytes of a JPEG. Fails as reading the store does, and with
GranaryError(CHECKSUM_MISMATCH).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from braingranary.catalog.read.contact_sheets import PackSlice, SheetPack
from braingranary.errors import Code, GranaryError
from braingranary.imaging import jpeg
from braingranary.imaging.contact_sheet import contact_sheet
from braingranary.storage.store import ObjectStore
from serving.http.images import checked, packed

SPAN_BYTES_MAX: Final = 16 * 1024 * 1024  # a pack of 50 slices has about 0.5 MB; larger ones are read slice by slice


def sheet(store: ObjectStore, pack: SheetPack, slices: Sequence[PackSlice], *, tile_pixels: int) -> bytes:
    """The slices of `pack` in one picture, each in a square of `tile_pixels`."""
    if not slices:
        raise GranaryError(Code.CHECKSUM_MISMATCH, f"{pack.object_key}: the catalogue has none of its slices")
    pictures = np.stack([jpeg.decode(data) for data in _read(store, pack, slices)])
    aspect = pack.pixel_height_mm / pack.pixel_width_mm
    shown = contact_sheet(pictures, tiles_max=len(slices), tile_pixels=tile_pixels, pixel_aspect=aspect)
    return jpeg.encode(shown)


def _read(store: ObjectStore, pack: SheetPack, slices: Sequence[PackSlice]) -> list[bytes]:
    start = min(item.byte_offset for item in slices)
    span = max(item.byte_offset + item.byte_length for item in slices) - start
    if span > SPAN_BYTES_MAX:
        return [packed(store, pack.object_key, item) for item in slices]
    data = store.get_range(pack.object_key, start, span)
    return [checked(data[item.byte_offset - start :][: item.byte_length], item, pack.object_key) for item in slices]
