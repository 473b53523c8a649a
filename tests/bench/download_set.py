"""A gigabyte of slices to download: packs of JPEGs of noise, in a catalogue filled by the project's loader.

Every series is one axial pack of 50 slices of about 10 kB; all packs hold the same bytes under keys of their own, which
costs neither a reader nor a store anything less than different ones would.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import psycopg
import pyarrow as pa
import simplejpeg

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.imaging.slicepack import write_pack
from braingranary.normalization import rows
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

SLICES = 50
LESION = range(SLICES // 4, 3 * SLICES // 4)
SIDE = 110  # of noise: about 10 kB at quality 90


@dataclass(frozen=True, kw_only=True)
class DownloadSet:
    """What was put where."""

    packs: int
    slices: int
    jpeg_bytes: int
    jpegs: tuple[bytes, ...]
    """Of every pack."""


def build(dsn: str, store: ObjectStore, *, packs: int) -> DownloadSet:
    """Fill an empty database and an empty bucket; the collection labels every series with a tumour."""
    noise = np.random.default_rng(0)
    jpegs = tuple(
        simplejpeg.encode_jpeg(
            noise.integers(0, 256, (SIDE, SIDE, 1), dtype=np.uint8), quality=90, colorspace="GRAY", fastdct=True
        )
        for _ in range(SLICES)
    )
    written = write_pack(jpegs)
    digest = hashlib.sha256(written.data).hexdigest()
    run = synthetic.tables(range(packs), slices=SLICES)
    for pack in run.packs:
        pack.update(pack_bytes=len(written.data), sha256=digest)
    for member, entry in zip(run.slices, written.entries * packs, strict=True):
        member.update(byte_offset=entry.offset, byte_length=entry.length, crc32=entry.crc32)
    run.labels += [synthetic.label_row(number, tumor=True, source="collection") for number in range(packs)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pack: store.put(pack["object_key"], written.data), run.packs))
    migrate(dsn)
    _load(dsn, store, "downloads", run)
    return DownloadSet(packs=packs, slices=packs * SLICES, jpeg_bytes=packs * sum(map(len, jpegs)), jpegs=jpegs)


def draw_masks(dsn: str, store: ObjectStore, *, packs: int) -> int:
    """Say of every second of so many packs, slice by slice, that a tumour is in its middle half alone.

    Returns how many slices are left with one.
    """
    run = synthetic.RunTables(
        labels=[
            synthetic.label_row(number, tumor=index in LESION, source="mask", index=index)
            for number in range(0, packs, 2)
            for index in range(SLICES)
        ]
    )
    _load(dsn, store, "masks", run)
    return packs * SLICES - (packs + 1) // 2 * (SLICES - len(LESION))


def _load(dsn: str, store: ObjectStore, name: str, run: synthetic.RunTables) -> None:
    tables = {table: pa.Table.from_pylist(getattr(run, table), schema=schema) for table, schema in rows.TABLES.items()}
    synthetic.publish_arrow(store, name, [tables])
    with psycopg.connect(dsn, autocommit=True) as connection:
        load_run(connection, store, name)
        connection.execute("VACUUM ANALYZE")
