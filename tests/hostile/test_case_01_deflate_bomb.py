"""Case 1: 1 MB that inflates to 1 GB. The file is refused by code, the rest of the series is read."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from tests.fixtures.child import run_child
from tests.fixtures.dicom_factory import Scan, classic_series

RSS_MAX_MIB = 400

READ_FOLDER = """
import sys
from pathlib import Path
from braingranary.dicom.reader import read_series
files = [(path.name, path.read_bytes()) for path in sorted(Path(sys.argv[1]).iterdir())]
images = read_series(files)
print(len(images.volumes[0].volume.voxels), ",".join(reject.code for reject in images.file_rejects))
"""


def deflate_bomb(inflated_mib: int) -> bytes:
    """A deflated file whose data set goes on for `inflated_mib` MiB of one element."""
    sound = classic_series(Scan(syntax="deflated", slices=1))[0][1]
    # the file meta group ends before the deflated data set begins; its length stands in its first element
    head = sound[: 144 + int.from_bytes(sound[140:144], "little")]
    # a full flush forgets the history, so one compressed MiB can be repeated
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    start = packer.compress(b"\x08\x00\x08\x00UN\0\0\xff\xff\xff\x7f") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + start + block * inflated_mib + packer.flush()


@pytest.mark.hostile
@pytest.mark.parametrize("inflated_mib", [65, 1024])
def test_read_series_deflate_bomb_is_refused_and_the_rest_read(tmp_path: Path, inflated_mib: int) -> None:
    for name, data in classic_series(Scan(syntax="deflated", slices=4)):
        (tmp_path / name).write_bytes(data)
    bomb = deflate_bomb(inflated_mib)
    (tmp_path / "bomb.dcm").write_bytes(bomb)
    child = run_child(READ_FOLDER, str(tmp_path))
    print(f"case 01 deflate bomb {len(bomb) >> 10} KiB to {inflated_mib} MiB: peak_rss_mib={child.peak_rss_mib}")
    assert child.exit_status == 0, child.errors
    assert child.lines[-1] == "4 dicom_deflate_refused"
    assert child.peak_rss_mib < RSS_MAX_MIB
