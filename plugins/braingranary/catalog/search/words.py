"""Words of the descriptions, as arrays: which of the different texts hold all words of a query.

Why by words and not by texts: a million series share some hundred thousand texts, and these some ten thousand words, so
that a part of a word is looked for in few and short places. A word of a query never holds a space, so it stands inside
one word of a text; a short one begins it, as `catalog/filters.py` says.
Goes in: the different texts, words of letters and digits with one space before each. Comes out: a mask over the texts.
Fails with RejectedInput(REQUEST_INVALID) for a query without words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from braingranary.catalog.search.filters import words

_ANYWHERE = "%"
_BEGINS = "% "


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Every different word, and the texts that hold each."""

    different: Any
    """An Arrow array."""
    starts: NDArray[np.int64]
    """Where the texts of each word start in `text_of`, and where those of the last one end."""
    text_of: NDArray[np.int32]
    texts: int


def of_texts(texts: Any) -> Words:
    """The words of an Arrow array of different texts."""
    split = pc.split_pattern(texts, " ")
    encoded = split.flatten().dictionary_encode()
    word_of = encoded.indices.to_numpy()
    text_of = np.repeat(np.arange(len(texts), dtype=np.int32), np.diff(split.offsets.to_numpy()))
    by_word = np.argsort(word_of, kind="stable")
    starts = np.searchsorted(word_of[by_word], np.arange(len(encoded.dictionary) + 1))
    return Words(different=encoded.dictionary, starts=starts, text_of=text_of[by_word], texts=len(texts))


def holding(known: Words, query: str) -> NDArray[np.bool_]:
    """Which of the texts hold all words of a query."""
    found = np.ones(known.texts, np.bool_)
    for pattern in words(query):
        if pattern.startswith(_BEGINS):
            alike = pc.starts_with(known.different, pattern.removeprefix(_BEGINS).removesuffix(_ANYWHERE))
        else:
            alike = pc.match_substring(known.different, pattern.strip(_ANYWHERE))
        held = np.zeros(known.texts, np.bool_)
        for word in np.flatnonzero(alike.to_numpy(zero_copy_only=False)):
            held[known.text_of[known.starts[word] : known.starts[word + 1]]] = True
        found &= held
    return found
