"""Arrow to COPY: nulls apart from empty texts, NULs gone, JSON that jsonb can hold."""

from __future__ import annotations

import json
import struct

import pyarrow as pa
import pytest

from braingranary.catalog.load.arrow_copy import binary_bytes, csv_bytes, fit_json
from braingranary.catalog.schema.row_keys import column_ids, pack_id


def test_csv_bytes_tells_null_from_empty_and_drops_nul() -> None:
    batch = pa.record_batch([pa.array([None, "", 'a"\x00b']), pa.array([1, None, 3])], names=["t", "n"])
    assert csv_bytes(batch).decode() == ',"1"\n"",\n"a""\ufffdb","3"\n'


def test_binary_bytes_lays_out_fields_in_network_order() -> None:
    batch = pa.record_batch([pa.array([5], pa.int64()), pa.array([1.5], pa.float32())], names=["a", "b"])
    assert binary_bytes(batch) == struct.pack(">hiqif", 2, 8, 5, 4, 1.5)


def test_binary_bytes_with_a_null_raises() -> None:
    with pytest.raises(ValueError, match="null"):
        binary_bytes(pa.record_batch([pa.array([None], pa.int64())], names=["a"]))


@pytest.mark.parametrize(
    ("value", "kept"),
    [("\x00", "\ufffd"), ("\ud800", "\ufffd"), ("\\u0000", "\\u0000"), ("\U0001f9e0", "\U0001f9e0")],
)
def test_fit_json_replaces_only_what_jsonb_refuses(value: str, kept: str) -> None:
    column = fit_json(pa.array([json.dumps({"k": [value], value: 1}), None, "{"]))
    first, second, third = column.to_pylist()
    assert json.loads(first or "") == {"k": [kept], kept: 1}
    assert (second, third) == (None, "{")


def test_column_ids_agrees_with_the_scalar_key_and_keeps_null() -> None:
    ids = column_ids("pack", pa.array(["1.2", "1.2", None]), pa.array([0, 1, 0], pa.int16()), pa.array(["axial"] * 3))
    assert ids.to_pylist() == [pack_id("1.2", 0, "axial"), pack_id("1.2", 1, "axial"), None]
