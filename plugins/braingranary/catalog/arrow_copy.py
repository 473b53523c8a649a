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

BINARY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BINARY_TRAILER: Final = b"\xff\xff"
REPLACEMENT: Final = "\ufffd"
_CSV: Final = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")
_UNFIT_ESCAPE: Final = r"\\u(0000|[dD][89a-fA-F])"
_SURROGATE: Final = re.compile("[\x00\ud800-\udfff]")


def csv_bytes(batch: pa.RecordBatch) -> bytes:
    """The batch as CSV: null is an empty field, an empty text is `""`, every other text is quoted."""
    sink = io.BytesIO()
    pa_csv.write_csv(pa.record_batch([_without_nul(column) for column in batch.columns], batch.schema), sink, _CSV)
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


def fit_json(column: pa.Array) -> pa.Array:
    """JSON texts that jsonb can hold: escapes of characters that it cannot hold become U+FFFD."""
    suspects = pc.match_substring_regex(column, _UNFIT_ESCAPE)
    if not pc.any(suspects).as_py():
        return column
    texts = [
        _fit(text) if suspect and text is not None else text
        for text, suspect in zip(column.to_pylist(), suspects.to_pylist(), strict=True)
    ]
    return pa.array(texts, column.type)


def _fit(text: str) -> str:
    """`text` with every unfit character replaced; not JSON at all is left for the checks to tell."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    # Python joins a proper pair of surrogates into one character; what is left as a surrogate stood alone.
    return _SURROGATE.sub(REPLACEMENT, json.dumps(value, ensure_ascii=False).replace("\\u0000", REPLACEMENT))


def _without_nul(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    return pc.replace_substring(column, "\x00", REPLACEMENT)
