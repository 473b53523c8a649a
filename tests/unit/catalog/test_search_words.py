"""Words of texts: what LIKE would find, word by word."""

from __future__ import annotations

import pyarrow as pa
import pytest

from braingranary.catalog.search import words as search_words
from braingranary.catalog.search.filters import words

TEXTS = [" ", " ax t1 post", " sag flair 100", " brain w o contrast", " t1ce t2", " ct1 thorax", " überkopf x"]


@pytest.mark.parametrize("query", ["t1", "T1 post", "lair", "o", "x", "100", "brain contrast", "flair brain", "ÜBER"])
def test_holding_finds_what_every_pattern_finds(query: str) -> None:
    found = search_words.holding(search_words.of_texts(pa.array(TEXTS)), query)
    # A pattern holds a percent sign at either end and nowhere else.
    assert found.tolist() == [all(pattern.strip("%") in text for pattern in words(query)) for text in TEXTS]


def test_holding_of_no_texts_is_empty() -> None:
    assert search_words.holding(search_words.of_texts(pa.array([], pa.string())), "brain").tolist() == []
