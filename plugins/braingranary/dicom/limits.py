"""Budgets for reading hostile DICOM and zips: how much one file, series or zip may claim before it is refused.

Parsers and decoders have no limits of their own, so every claim a file makes is held against one of these numbers
before anything is allocated for it. The defaults pass every series of the public brain archives with room to spare and
keep a reading process under half a gigabyte for hostile input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets of one series and its files; every figure is an upper bound that is still accepted."""

    file_bytes_max: int = 512 * MIB
    """One file as it lies in the archive; the largest enhanced MR files are near 300 MiB."""
    inflated_bytes_max: int = 64 * MIB
    """One deflated data set after inflation: the transfer syntax is all but unused for images."""
    nesting_depth_max: int = 16
    """Sequences within sequences; real enhanced MR reaches 6."""
    element_count_max: int = 200_000
    """Data elements a file, those in sequences included; a 2,000 frame enhanced file has about 100,000."""
    pixel_bytes_file_max: int = 512 * MIB
    """Decoded pixels of one file."""
    pixel_bytes_series_max: int = 8192 * MIB
    """Decoded pixels of one series, all volumes together."""
    pixel_bytes_in_memory: int = 256 * MIB
    """Decoded pixels of one series beyond which the rest waits in a scratch file."""
    image_side_max: int = 8192
    """Rows or columns of one frame (a mosaic counts as one frame)."""
    decoded_ratio_max: int = 400
    """Decoded bytes over compressed bytes of a whole file: beyond it the file is a bomb, not an image."""
    files_max: int = 20_000
    """Files a series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipLimits:
    """Budgets of one raw zip; every figure is an upper bound that is still accepted."""

    entries_max: int = 20_000
    member_bytes_max: int = 512 * MIB
    total_bytes_max: int = 8192 * MIB
    """All members together, counted as they are inflated, whatever the directory claims."""
    ratio_max: int = 200
    """Inflated over compressed bytes of one member above `ratio_free_bytes`; DICOM reaches about 20, zeros 1,000."""
    ratio_free_bytes: int = 16 * MIB
    """Members up to this size may be of any density: a blank image or a mask is one, and too small to hurt."""
    name_chars_max: int = 512
    directory_bytes_max: int = 4 * MIB
    """The zip's central directory, checked before it is parsed; 20,000 entries of archives take about 2 MiB."""


DEFAULT_LIMITS: Final = Limits()
DEFAULT_ZIP_LIMITS: Final = ZipLimits()
