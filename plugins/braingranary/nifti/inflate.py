"""The bytes of a NIfTI file: inflated where they came in a gzip, and only as far as they are asked for."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from isal import isal_zlib

from braingranary.nifti.header import invalid

MEMBERS_MAX: Final = 100_000
"""Block-wise writers begin a member every 64 KiB: this many hold 6 GB."""
_PIECE_BYTES: Final = 1 << 14  # what one member leaves over is copied for the next, so pieces are small
_PLAIN_PIECE_BYTES: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS  # as zlib asks for a gzip


def is_gzip(data: bytes) -> bool:
    """Whether `data` begins as a gzip."""
    return data.startswith(_GZIP)


class NiftiBytes:
    """A file as the format means it.

    A gzip may consist of several members (RFC 1952 section 2.2), and what follows its last member is not looked at.
    """

    def __init__(self, source: bytes | BinaryIO) -> None:
        """`source` is the whole file, or one that can be read from its beginning."""
        self._file = io.BytesIO(source) if isinstance(source, bytes) else source
        self._file.seek(0)
        self._gzipped = is_gzip(self._file.read(len(_GZIP)))

    def first(self, length: int) -> bytes:
        """The first `length` bytes, fewer where the file ends before; raises RejectedInput(IMAGE_INVALID)."""
        return b"".join(self.pieces(length))

    def pieces(self, length: int) -> Iterator[bytes]:
        """The first `length` bytes piece by piece, as `first`."""
        self._file.seek(0)
        return self._inflated(length) if self._gzipped else self._plain(length)

    def _plain(self, length: int) -> Iterator[bytes]:
        while length > 0 and (piece := self._file.read(min(length, _PLAIN_PIECE_BYTES))):
            length -= len(piece)
            yield piece

    def _inflated(self, length: int) -> Iterator[bytes]:
        have = members = 0
        rest, member = b"", None
        while have < length and members < MEMBERS_MAX:
            if not rest or (member is None and len(rest) < len(_GZIP)):
                more = self._file.read(_PIECE_BYTES)
                if not more:
                    break
                rest += more
            if member is None:
                if not is_gzip(rest):
                    break  # what follows the last member
                member = isal_zlib.decompressobj(_GZIP_WINDOW)
            try:
                piece = bytes(member.decompress(rest, length - have))
            except Exception:  # noqa: BLE001 - its own error class is not told by its types
                if not members:
                    raise invalid("the gzip is broken") from None
                break  # garbage that happens to begin as a gzip
            have += len(piece)
            rest = b""
            if member.eof:
                rest, member, members = bytes(member.unused_data), None, members + 1
            yield piece
