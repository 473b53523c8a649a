"""Case 3: pictures of a few kilobytes that claim, or really hold, 12000x12000 pixels. The pixel budget holds."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from tests.fixtures import scans
from tests.fixtures.child import run_child

SIDE = 12_000
RSS_MAX_MIB = 250
BUDGET_RSS_MAX_MIB = 700

READ = """
import sys
from pathlib import Path
from braingranary.detector.inference.uploads import read_upload
from braingranary.errors import RejectedInput
for path in sys.argv[1:]:
    try:
        print("read", *read_upload(Path(path).read_bytes()).pictures[0].shape)
    except RejectedInput as error:
        print(error.code)
"""


def jpeg_bomb() -> bytes:
    """A sound JPEG of 144 million pixels."""
    rows = np.zeros((SIDE, SIDE, 1), np.uint8)
    data: bytes = simplejpeg.encode_jpeg(rows, quality=20, colorspace="GRAY")
    return data


def jpeg_lie() -> bytes:
    """A small JPEG whose frame header claims as many."""
    data = bytearray(scans.picture(scans.slices(1)[0], "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", SIDE, SIDE)
    return bytes(data)


def png_bomb() -> bytes:
    """A sound PNG of as many pixels, row by row so that nobody here holds them."""
    packer, body = zlib.compressobj(9), b""
    for _ in range(SIDE // 100):
        body += packer.compress(bytes((SIDE + 1) * 100))
    body += packer.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.hostile
def test_read_upload_dimension_bombs_are_refused_by_their_headers(tmp_path: Path) -> None:
    bombs = {"jpeg": jpeg_bomb(), "jpeg_lie": jpeg_lie(), "png": png_bomb()}
    for name, data in bombs.items():
        (tmp_path / name).write_bytes(data)
    child = run_child(READ, *(str(tmp_path / name) for name in bombs))
    assert child.exit_status == 0, child.errors
    print(
        f"case 03 JPEG dimension bomb {SIDE}x{SIDE} in {min(map(len, bombs.values())) >> 10} KiB: "
        f"peak_rss_mib={child.peak_rss_mib}"
    )
    assert child.lines == ("image_too_large",) * len(bombs)
    assert child.peak_rss_mib < RSS_MAX_MIB


@pytest.mark.hostile
def test_read_upload_largest_accepted_picture_keeps_the_memory_of_a_worker(tmp_path: Path) -> None:
    """Just within the budget, in the modes that cost most."""
    side = 6_300
    grey = np.zeros((side, side), np.uint8)
    grey[1000:5000, 1000:5000] = 100
    for name, data in {
        "rgba": scans.picture(grey, mode="RGBA", compress_level=1),
        "16 bit": scans.picture(grey.astype(np.uint16) * 257, compress_level=1),
    }.items():
        (tmp_path / name).write_bytes(data)
    children = [run_child(READ, str(path)) for path in sorted(tmp_path.iterdir())]
    print(f"case 03 picture of {side}x{side}, accepted: peak_rss_mib={max(one.peak_rss_mib for one in children)}")
    assert [one.lines for one in children] == [("read 1575 1575",)] * 2
    assert max(one.peak_rss_mib for one in children) < BUDGET_RSS_MAX_MIB
