"""Arrow record batches as the bytes of PostgreSQL's COPY, without a Python object a value.

Two ways, each the fastest for its rows: Arrow's own CSV writer where there is text or null, and PostgreSQL's binary
format laid out by numpy where every column has a fixed width and none is null (the slices, by far the most rows).
Goes in: batches whose columns are in the order of the COPY. Comes out: bytes to write into the COPY. Text is made fit
for PostgreSQL on the way: it knows no NUL, and jsonb knows neither escaped NULs nor lone surrogates.
"""

from __future__ import annotations

import io
import json
import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from braingranary.catalog.schema.row_keys import Column
from braingranary.records import Json

BINARY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BINARY_TRAILER: Final = b"\xff\xff"
REPLACEMENT: Final = "\ufffd"
_CSV: Final = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")
_UNFIT_ESCAPE: Final = r"\\u(0000|[dD][89a-fA-F])"
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")


def csv_bytes(batch: pa.RecordBatch) -> bytes:
    """The batch as CSV: null is an empty field, an empty text is `""`, every other text is quoted."""
    sink = io.BytesIO()
    pa_csv.write_csv(
        pa.record_batch([_without_nul(column) for column in batch.columns], names=batch.schema.names), sink, _CSV
    )
    return sink.getvalue()


def binary_bytes(batch: pa.RecordBatch) -> bytes:
    """The batch as rows of the binary format, without its header; columns are int or float and hold no null."""
    if any(column.null_count for column in batch.columns):
        raise ValueError("a null in a fixed-width row")
    arrays = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for number, array in enumerate(arrays):
        layout += [(f"length{number}", ">i4"), (f"value{number}", array.dtype.newbyteorder(">").str)]
    rows = np.empty(batch.num_rows, dtype=np.dtype(layout))
    rows["fields"] = len(arrays)
    for number, array in enumerate(arrays):
        rows[f"length{number}"] = array.dtype.itemsize
        rows[f"value{number}"] = array
    return rows.tobytes()


def fit_json(column: Column) -> Column:
    """JSON texts that jsonb can hold: escapes of characters that it cannot hold become U+FFFD."""
    suspects: Column = pc.match_substring_regex(column, _UNFIT_ESCAPE)
    if not pc.any(suspects).as_py():
        return column
    texts = [
        _fit(text) if suspect and text is not None else text
        for text, suspect in zip(column.to_pylist(), suspects.to_pylist(), strict=True)
    ]
    cleaned: Column = pa.array(texts, column.type)
    return cleaned


def _fit(text: str) -> str:
    """`text` with every unfit character replaced; not JSON at all is left for the checks to tell."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return json.dumps(_cleaned(value), ensure_ascii=False)


def _cleaned(value: Json) -> Json:
    """The same value with fit texts; json.loads joined proper pairs, so that a surrogate left over stood alone."""
    if isinstance(value, str):
        return _UNFIT.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_UNFIT.sub(REPLACEMENT, name): _cleaned(item) for name, item in value.items()}
    return value


def _without_nul(column: Column) -> Column:
    if not pa.types.is_string(column.type):
        return column
    cleaned: Column = pc.replace_substring(column, "\x00", REPLACEMENT)
    return cleaned
