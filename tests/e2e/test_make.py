"""The README's commands as they are typed: `make demo` over a folder of real DICOM, then `make stop`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.demo import DEMO_TIMEOUT_S, GRANARY, DemoStack

ROOT = Path(__file__).resolve().parents[2]
SERIES_BY_PLANE = {"axial": [35, 120], "sagittal": [35, 96, 170]}
"""Acquired slices of the five real series; the nine transfer-syntax files are one mosaic of 35 slices."""

pytestmark = [pytest.mark.e2e, pytest.mark.realdata, pytest.mark.timeout(3600)]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEMO_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def make(target: str, *variables: str) -> str:
    return run("make", target, *variables)


@pytest.mark.usefixtures("no_other_demo")
def test_make_demo_of_real_scans_catalogues_every_series(tmp_path: Path, real_data: Path) -> None:
    demo = DemoStack(state=tmp_path / "state")
    try:
        told = make("demo", f"DICOM={real_data / 'dicom'}", f"STATE={demo.state}")
        series = demo.get("/api/v1/series?limit=50")["series"]
        print(told)
        found = {plane: sorted(s["slice_count"] for s in series if s["plane"] == plane) for plane in SERIES_BY_PLANE}
        assert found == SERIES_BY_PLANE
        assert len(series) == 5
        assert not re.search(r"^\W*reject\b", told, flags=re.MULTILINE)
        # Neither has settings of its own: both find those of the running demo.
        assert "detector-5" in run(GRANARY, "model", "list", "--state", demo.state)
        uid = series[0]["series_uid"]
        assert uid in run(GRANARY, "volume", uid, "--state", demo.state)
        make("stop", f"STATE={demo.state}")
        assert demo.living() == []
    finally:
        demo.clean()
