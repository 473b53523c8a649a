"""Which slices a contact sheet shows, and where their bytes are.

Goes in: a connection, a series and a plane. Comes out: the pack and the places of its slices. Nothing found is None or
an empty list.
"""

from __future__ import annotations

from dataclasses import dataclass

from braingranary.catalog.db import Connection, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPack:
    """The pack whose slices a contact sheet shows."""

    pack_id: int
    object_key: str
    sha256: str
    slice_count: int
    plane: str
    pixel_width_mm: float
    pixel_height_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSlice:
    """Where one slice lies in its pack."""

    slice_index: int
    byte_offset: int
    byte_length: int
    crc32: int


def sheet_pack(connection: Connection, uid: str, *, volume: int = 0, plane: str | None = None) -> SheetPack | None:
    """The pack of one volume in `plane`, or without one in the plane it was acquired in."""
    return one(connection, SheetPack, "sheet_pack", {"uid": uid, "volume": volume, "plane": plane})


def pack_slices(connection: Connection, pack_id: int, indices: list[int]) -> list[PackSlice]:
    """Where the slices `indices` of one pack are, in order; those that do not exist are left out."""
    return many(connection, PackSlice, "pack_slices", {"pack_id": pack_id, "indices": indices})
