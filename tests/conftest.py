"""Fixtures that every test may use; rooms add their own in their conftest.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("GRANARY_TEST_DATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `realdata` tests, saying why, where the scans are absent."""
    if REAL_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason=f"no real scans at {REAL_DATA} (set GRANARY_TEST_DATA)")
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; only for tests marked `realdata`."""
    return REAL_DATA
