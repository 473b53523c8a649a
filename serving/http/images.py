"""Answers that are pictures: made only for who does not have them yet, out of bytes that are what was catalogued.

Goes in: a name of the bytes for the ETag, and how to make them. Comes out: a response, 304 where the caller has it.
Fails with GranaryError(CHECKSUM_MISMATCH) when the store holds other bytes than the catalogue says.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, TypeAlias

from flask import Response, request

from braingranary.catalog.read.contact_sheets import PackSlice
from braingranary.catalog.read.series import SliceLocation
from braingranary.errors import Code, GranaryError
from braingranary.storage.store import ObjectStore

# Not `immutable`: another profile may make another image of the same slice one day.
CACHE_CONTROL: Final = "public, max-age=86400"
# Under accepted terms: kept by nobody but the caller, who asks each time, so that the terms are looked at each time.
RESTRICTED: Final = "private, no-cache"


Place: TypeAlias = SliceLocation | PackSlice


def picture(etag: str, content_type: str, make: Callable[[], bytes], *, restricted: bool) -> Response:
    """The picture that `make` makes, named by `etag`; it is not called where the caller has it."""
    response = Response(content_type=content_type)
    response.set_etag(etag)
    response.headers["Cache-Control"] = RESTRICTED if restricted else CACHE_CONTROL
    if request.if_none_match.contains(etag):
        response.status_code = 304
    else:
        response.set_data(make())
    return response


def packed(store: ObjectStore, object_key: str, place: Place) -> bytes:
    """The JPEG at `place`, by one range GET."""
    return checked(store.get_range(object_key, place.byte_offset, place.byte_length), place, object_key)


def checked(data: bytes, place: Place, object_key: str) -> bytes:
    """`data` when it is the slice that was catalogued at `place`."""
    if zlib.crc32(data) != place.crc32:
        raise GranaryError(Code.CHECKSUM_MISMATCH, f"{object_key}: not the bytes that were catalogued")
    return data
