"""Stretches of an order: every place once, in order, whichever way."""

from __future__ import annotations

import pytest

from braingranary.catalog.search import places as search_places


@pytest.mark.parametrize("backwards", [True, False])
@pytest.mark.parametrize(("begin", "end"), [(0, 0), (5, 5), (0, 1), (3, 900), (7, 13)])
def test_stretches_hold_every_place_once_and_the_nearest_first(
    begin: int, end: int, backwards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_places, "STRETCH_ROWS", 3)
    places: list[int] = []
    for low, high in search_places._stretches(begin, end, backwards):
        assert low < high
        places += reversed(range(low, high)) if backwards else range(low, high)
    assert places == (list(reversed(range(begin, end))) if backwards else list(range(begin, end)))
