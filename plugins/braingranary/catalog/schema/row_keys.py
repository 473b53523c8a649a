"""The primary keys of the catalogue: stable hashes of natural keys, one by one or for a whole Arrow column.

One definition serves the loader, which makes millions of them, and the front door, which makes one for an address.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from braingranary.records import stable_id

Column: TypeAlias = "pa.Array[Any]"
_SEPARATOR = "\x1f"  # the same that stable_id joins its parts with


def series_id(series_uid: str) -> int:
    """Key of `series`, and of its labels even before the series itself is known."""
    return stable_id("series", series_uid)


def study_id(study_uid: str) -> int:
    """Key of `study`."""
    return stable_id("study", study_uid)


def subject_id(patient_id: str) -> int:
    """Key of `subject`."""
    return stable_id("subject", patient_id)


def collection_id(archive: str, name: str) -> int:
    """Key of `collection`."""
    return stable_id("collection", archive, name)


def pack_id(series_uid: str, volume: int, plane: str) -> int:
    """Key of `pack`."""
    return stable_id("pack", series_uid, volume, plane)


def run_id(step: str, run: str) -> int:
    """Key of `ingest_run`."""
    return stable_id("run", step, run)


def column_ids(table: str, *columns: Column) -> Column:
    """`stable_id(table, *row)` of every row, int64; null where one of `columns` is null.

    Row files repeat a key on many rows in a row, so each distinct key is hashed once and the rest is a look-up.
    """
    texts: list[Any] = [column.cast(pa.string()) for column in columns]
    joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, _SEPARATOR)
    encoded = joined.dictionary_encode()
    hashed = pa.array([stable_id(table, key) for key in encoded.dictionary.to_pylist()], pa.int64())
    return hashed.take(encoded.indices)
