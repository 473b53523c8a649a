"""Case 2: small codestreams that claim gigabytes. Refused before any decoder allocates."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pydicom.encaps import encapsulate

from tests.fixtures.child import run_child
from tests.fixtures.dicom_factory import Scan, classic_dataset, encoded, enhanced_series, written

RSS_MAX_MIB = 350

READ_FILE = """
import sys
from pathlib import Path
from braingranary.dicom.reader import read_series
from braingranary.errors import RejectedInput
try:
    read_series([("bomb.dcm", Path(sys.argv[1]).read_bytes())])
    print("read")
except RejectedInput as error:
    print(error.code)
"""


def rle_bomb(frames: int, side: int) -> bytes:
    """An enhanced file of `frames` RLE frames that are all background: about 1/64 of what they decode to."""
    run = b"\x81\x00" * (side * side // 128)  # 128 times the byte 0
    frame = struct.pack("<16L", 2, 64, 64 + len(run), *[0] * 13) + run + run
    plain = enhanced_series(Scan(syntax="rle", slices=frames, rows=2, columns=2))[0][1]
    # the small file's header with other rows and columns, and the large frames behind it
    at = plain.index(b"\xe0\x7f\x10\x00OB")
    head = plain[:at]
    for element in (0x10, 0x11):
        key = b"\x28\x00" + bytes((element, 0)) + b"US\x02\x00"
        head = head.replace(key + b"\x02\x00", key + side.to_bytes(2, "little"))
    return (
        head + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + encapsulate([frame] * frames) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    )


@pytest.mark.hostile
def test_read_series_rle_frame_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    bomb = rle_bomb(100, 4096)
    path = tmp_path / "bomb.dcm"
    path.write_bytes(bomb)
    child = run_child(READ_FILE, str(path))
    print(f"case 02 RLE frame bomb {len(bomb) >> 20} MiB to 3200 MiB: peak_rss_mib={child.peak_rss_mib}")
    assert child.exit_status == 0, child.errors
    assert child.lines[-1] == "dicom_too_large"
    assert child.peak_rss_mib < RSS_MAX_MIB


def test_rle_bomb_small_enough_is_read(tmp_path: Path) -> None:
    """The bomb is a sound file: only its size is at fault."""
    path = tmp_path / "fine.dcm"
    path.write_bytes(rle_bomb(3, 128))
    assert run_child(READ_FILE, str(path)).lines[-1] == "read"


@pytest.mark.hostile
@pytest.mark.parametrize("syntax", ["jpeg_lossless", "jpeg_ls", "jpeg_2000"])
def test_read_series_codestream_larger_than_header_is_refused(tmp_path: Path, syntax: str) -> None:
    scan = Scan(syntax=syntax)
    stream = bytearray(encoded(scan.pixels(0), scan))
    if syntax == "jpeg_2000":
        stream[8:16] = struct.pack(">LL", 60_000, 60_000)
        stream[24:32] = struct.pack(">LL", 60_000, 60_000)
    else:
        at = stream.index(b"\xff\xf7" if syntax == "jpeg_ls" else b"\xff\xc3")
        stream[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    dataset = classic_dataset(scan, 0)
    whole = written(dataset, scan)
    at = whole.index(b"\xe0\x7f\x10\x00OB")
    path = tmp_path / "lie.dcm"
    path.write_bytes(
        whole[:at]
        + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
        + encapsulate([bytes(stream)])
        + b"\xfe\xff\xdd\xe0\0\0\0\0"
    )
    child = run_child(READ_FILE, str(path))
    print(f"case 02 {syntax} dimension lie 60000x60000: peak_rss_mib={child.peak_rss_mib}")
    assert child.lines[-1] == "pixel_data_mismatch", child.errors
    assert child.peak_rss_mib < RSS_MAX_MIB
