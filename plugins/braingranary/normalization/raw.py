"""Read what was staged: the receipt beside a raw object (a zip or a NIfTI), and its bytes once their hash is proven.

Raises RejectedInput: KEY_INVALID, OBJECT_MISSING, MANIFEST_INVALID for a receipt that is none or of another object,
CHECKSUM_MISMATCH for an object whose bytes are no longer the ones that were verified; TransientFailure: DISK_FULL.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput
from braingranary.records import Receipt
from braingranary.scratch import room_on_disk
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

SPOOL_BYTES: Final = 128 * 1024 * 1024  # larger objects wait on disk, so that memory does not grow with the series
_RAW_KEY: Final = re.compile(r"raw/([^/]+)/([^/]+)/([0-9.]+)/([0-9a-f]{64})\.[a-z.]+\Z", re.ASCII)
_RECEIPT: Final = TypeAdapter(Receipt)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawKey:
    """The parts of a raw key; archive and collection are key segments, not always the names they stand for."""

    key: str
    archive: str
    collection: str
    series_uid: str
    sha256: str


def parse_raw_key(key: str) -> RawKey:
    """The parts of `key`; raises RejectedInput(KEY_INVALID) where it is no raw key."""
    match = _RAW_KEY.match(key)
    if match is None or not keys.is_raw_object(key):
        raise RejectedInput(Code.KEY_INVALID, "not the key of a raw object")
    archive, collection, series_uid, sha256 = match.groups()
    return RawKey(
        key=key, archive=archive, collection=collection, series_uid=keys.checked_uid(series_uid), sha256=sha256
    )


def read_receipt(store: ObjectStore, raw: RawKey) -> Receipt:
    """The receipt of the object at `raw`; raises RejectedInput(OBJECT_MISSING, MANIFEST_INVALID)."""
    try:
        receipt = _RECEIPT.validate_json(store.get(keys.receipt(raw.key)))
    except ValidationError as error:
        raise RejectedInput(Code.MANIFEST_INVALID, "the receipt beside the raw object is none") from error
    told = (receipt.raw_key, receipt.sha256, receipt.record.series_uid)
    if told != (raw.key, raw.sha256, raw.series_uid):
        raise RejectedInput(Code.MANIFEST_INVALID, "the receipt beside the raw object is of another one")
    return receipt


def raw_file(store: ObjectStore, receipt: Receipt) -> BinaryIO:
    """The raw object of a staged series as a file at its start, its hash proven; the caller closes it.

    Raises RejectedInput(OBJECT_MISSING, CHECKSUM_MISMATCH).
    """
    digest = hashlib.sha256()
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES))  # noqa: SIM115 - the caller's
    try:
        for chunk in store.stream(receipt.raw_key):
            digest.update(chunk)
            with room_on_disk():
                file.write(chunk)
        if digest.hexdigest() != receipt.sha256:
            raise RejectedInput(Code.CHECKSUM_MISMATCH, "the raw object is not the one that was verified")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
