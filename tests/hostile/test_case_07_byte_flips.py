"""Case 7: mutations of sound files. Only this library's errors come out, memory stays bounded, nothing crashes.

The usual run reads 5,000 of synthetic and 5,000 of real files; GRANARY_TEST_MUTATIONS sets another count of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MUTATIONS = int(os.environ.get("GRANARY_TEST_MUTATIONS", "5000"))
RSS_MAX_MIB = 512


def fuzz(name: str, count: int, seed: int, paths: list[Path]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.fixtures.dicom_fuzz", str(count), str(seed), *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    figures = json.loads(finished.stdout.splitlines()[-1])
    print(
        f"case 07 byte flips {name}: cases_per_s={figures['cases'] / figures['seconds']:.0f} cases={count} crashes=0 "
        f"unforeseen={figures['unforeseen']} peak_rss_mib={figures['peak_rss_mib']} slowest_s={figures['slowest_s']}"
    )
    assert figures["strange"] == []
    assert figures["unforeseen"] == 0
    assert figures["peak_rss_mib"] < RSS_MAX_MIB
    # a fuzz whose mutations are all refused, or all read, has tested nothing
    assert 0.1 < figures["outcomes"]["read"] / count < 0.9


@pytest.mark.hostile
def test_read_series_mutated_files_give_only_typed_errors() -> None:
    fuzz("of synthetic files", MUTATIONS, 7, [])


@pytest.mark.hostile
@pytest.mark.realdata
def test_read_series_mutated_real_files_give_only_typed_errors(real_data: Path) -> None:
    folder = real_data / "dicom"
    paths = sorted((folder / "transfer_syntaxes").glob("*.dcm"))
    paths += [min(path.iterdir()) for path in sorted(folder.iterdir()) if path.name != "transfer_syntaxes"]
    fuzz("of real files", MUTATIONS, 8, paths)
