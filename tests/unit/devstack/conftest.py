"""Fixtures of the devstack's tests."""

from __future__ import annotations

import pytest

from braingranary.devstack.sample_head import SampleSummary, build


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    """The built-in sample, written once for all tests; nobody may change its files."""
    return build(tmp_path_factory.mktemp("sample") / "head")
