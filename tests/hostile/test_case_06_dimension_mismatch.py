"""Case 6: rows, columns, bits and frames at random. Decoded with the right size or rejected, never a crash."""

from __future__ import annotations

import pytest

from tests.fixtures.child import run_child

RSS_MAX_MIB = 512
CASES = 1500

MISMATCHES = """
import sys
from collections import Counter
import numpy as np
from braingranary.dicom.reader import read_series
from braingranary.errors import RejectedInput
from tests.fixtures.dicom_factory import SYNTAXES, Scan, classic_file, enhanced_series

random = np.random.default_rng(6)
ELEMENTS = {"rows": 0x10, "columns": 0x11, "allocated": 0x100, "stored": 0x101, "high": 0x102, "sign": 0x103}
VALUES = {
    "rows": (0, 1, 15, 16, 17, 32, 255, 4096, 8192, 8193, 65535),
    "columns": (0, 1, 11, 12, 13, 24, 256, 4096, 8192, 8193, 65535),
    "allocated": (0, 1, 8, 12, 16, 32, 64, 65535),
    "stored": (0, 1, 8, 11, 12, 13, 16, 17, 32, 65535),
    "high": (0, 7, 11, 12, 15, 31, 65535),
    "sign": (0, 1, 2, 65535),
}
originals = [(False, classic_file(Scan(syntax=s))) for s in SYNTAXES if s != "deflated"]
originals += [(True, enhanced_series(Scan(syntax=s))[0][1]) for s in SYNTAXES if s != "deflated"]
outcomes, wrong = Counter(), 0
for _ in range(int(sys.argv[1])):
    enhanced, data = originals[int(random.integers(len(originals)))]
    changed = bytearray(data)
    for name in random.choice(list(ELEMENTS), size=int(random.integers(1, 4)), replace=False):
        tag = ELEMENTS[str(name)]
        value = int(random.choice(VALUES[str(name)]))
        for key, width, order in (
            (b"\\x28\\x00" + tag.to_bytes(2, "little") + b"US\\x02\\x00", 8, "little"),
            (b"\\x28\\x00" + tag.to_bytes(2, "little") + b"\\x02\\x00\\x00\\x00", 8, "little"),
            (b"\\x00\\x28" + tag.to_bytes(2, "big") + b"US\\x00\\x02", 8, "big"),
        ):
            at = changed.find(key)
            if at >= 0:
                changed[at + width : at + width + 2] = value.to_bytes(2, order)
    if enhanced and random.integers(2):
        at = changed.find(b"IS\\x02\\x005 ")
        if at >= 0:
            changed[at + 4 : at + 6] = bytes(random.choice(np.array([b"0 ", b"1 ", b"4 ", b"6 ", b"99", b"-1", b"x "])))
    try:
        images = read_series([("1.dcm", bytes(changed))])
        outcomes["read"] += 1
        for read in images.volumes:
            held = read.volume.voxels.size * read.volume.voxels.itemsize
            wrong += held > 16 * len(data)
    except RejectedInput as error:
        outcomes[str(error.code)] += 1
print(wrong, dict(outcomes))
"""


@pytest.mark.hostile
def test_read_series_random_dimensions_are_decoded_or_rejected() -> None:
    child = run_child(MISMATCHES, str(CASES))
    crashes = int(child.exit_status != 0)
    print(f"case 06 dimension mismatch: crashes={crashes} of {CASES}, peak_rss_mib={child.peak_rss_mib}")
    assert child.exit_status == 0, child.errors
    wrong, outcomes = child.lines[-1].split(" ", 1)
    assert wrong == "0", outcomes
    assert "pixel_data_mismatch" in outcomes
    assert "'read'" in outcomes
    assert child.peak_rss_mib < RSS_MAX_MIB
