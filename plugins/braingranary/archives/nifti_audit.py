"""The proof of a series that is one NIfTI file, gzipped or not, while it streams by: whole, and what it claims to be.

In constant memory. Raises RejectedInput(ZIP_TOO_LARGE) for a file that inflates beyond the budget, and TransientFailure
(DOWNLOAD_SHORT, IMAGE_INVALID, ARCHIVE_ANSWER_INVALID) for what another download may mend.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from braingranary.archives.zip_audit import Image, ZipAudit
from braingranary.dicom.limits import DEFAULT_ZIP_LIMITS, ZipLimits
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.records import SeriesRecord

NIFTI_HEADER_SIZES: Final = frozenset({348, 540})  # NIfTI-1 and NIfTI-2: the first field of a file, in either order
_CHUNK_BYTES: Final = 1024 * 1024
_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS


def audit_nifti(
    chunks: Iterable[bytes], record: SeriesRecord, *, gzipped: bool, limits: ZipLimits = DEFAULT_ZIP_LIMITS
) -> ZipAudit:
    """Read the whole of `chunks` and prove it against its own checksum and against the size that `record` tells.

    Args:
        chunks: the file's bytes as they arrive.
        record: what the archive says of the series; `total_bytes` counts the file as it is sent.
        gzipped: whether the file is a `.nii.gz`.
        limits: budgets; those of one member hold for the inflated file.

    """
    received = _Counted(chunks)
    digest, size, head = hashlib.md5(usedforsecurity=False), 0, b""
    for piece in _inflated(received) if gzipped else received:
        size += len(piece)
        if size > limits.total_bytes_max or size > max(limits.ratio_free_bytes, limits.ratio_max * received.count):
            raise RejectedInput(Code.ZIP_TOO_LARGE, "the file inflates beyond the budget")
        head = (head + piece[:4])[:4]
        digest.update(piece)
    if not received.count:
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "nothing where a file should be")
    if record.total_bytes is not None and received.count != record.total_bytes:
        detail = f"{received.count} bytes arrived, the record says {record.total_bytes}"
        raise TransientFailure(Code.DOWNLOAD_SHORT, detail)
    if len(head) < 4 or not NIFTI_HEADER_SIZES & {struct.unpack("<i", head)[0], struct.unpack(">i", head)[0]}:
        raise TransientFailure(Code.IMAGE_INVALID, "not a NIfTI file")
    image = Image(name="image.nii", size=size, md5=digest.hexdigest())
    return ZipAudit(images=(image,), md5_verified=0, license_text=None)


class _Counted:
    """The chunks, their bytes counted."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._head = b""
        self.count = 0

    @property
    def begins_as_page(self) -> bool:
        """Whether this is HTML, which a proxy sends in the place of a file."""
        return self._head.lstrip().startswith(b"<")

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.count += len(chunk)
            self._head = (self._head + chunk[:16])[:16]
            yield chunk


def _inflated(chunks: _Counted) -> Iterator[bytes]:
    """The content of a gzip file of one or more members, their CRC-32 and length checked."""
    member = zlib.decompressobj(_GZIP_WBITS)
    begun = False
    try:
        for chunk in chunks:
            left = chunk if begun else chunk.lstrip(b"\0")  # between members only zeros may stand, as padding
            while left:
                begun = True
                yield member.decompress(left, _CHUNK_BYTES)
                left = member.unconsumed_tail
                if member.eof:
                    left, member, begun = member.unused_data.lstrip(b"\0"), zlib.decompressobj(_GZIP_WBITS), False
        if begun:
            yield member.flush()
            begun = not member.eof
    except zlib.error as error:
        if chunks.begins_as_page:
            raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "a page instead of a file") from error
        raise TransientFailure(Code.IMAGE_INVALID, "not a gzip file, or a damaged one") from error
    if begun:
        raise TransientFailure(Code.DOWNLOAD_SHORT, "the gzip file ends in the middle")
