"""Where PostgreSQL keeps its files: reachable by its account, and by one state folder alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from braingranary.devstack import accounts


def test_state_folder_made_anew_at_the_same_place_finds_nothing_of_the_one_before(tmp_path: Path) -> None:
    identity, state = accounts.unprivileged(), tmp_path / "state"
    before = accounts.home_for(identity, state)
    try:
        (before / "data").mkdir()
        assert accounts.home_for(identity, state) == before
        shutil.rmtree(state)  # by hand: what had to lie elsewhere stays
        after = accounts.home_for(identity, state)
        try:
            assert list(after.iterdir()) == []
        finally:
            shutil.rmtree(after)
    finally:
        shutil.rmtree(before, ignore_errors=True)
