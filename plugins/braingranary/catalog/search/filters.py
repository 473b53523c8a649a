"""What a search is narrowed to: the one filter that the list, its counts, the facets and the downloads share.

Goes in: plain values that the border has checked for type. Comes out: a frozen record, and the values that
`sql/queries/series_filter.sql` takes. Nothing is looked at twice: that one statement holds every rule, and whoever
needs series narrowed puts it in front of a statement of its own as the table expression `wanted`.
Fails with RejectedInput(REQUEST_INVALID) where a full-text query holds no word or too many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final, Literal, TypeAlias

from braingranary.catalog.schema.row_keys import study_id, subject_id
from braingranary.errors import Code, RejectedInput

Tumor: TypeAlias = Literal["true", "false", "unknown"]
LabelSource: TypeAlias = Literal["reader", "mask", "collection", "model", "unknown"]
UNKNOWN: Final = "unknown"
"""Stands for "not known" in every filter and facet, as in `sequence=unknown`."""
WORDS_MAX: Final = 4
_WORD: Final = re.compile(r"[^\W_]+")
_SHORT_CHARACTERS: Final = 2
"""Words up to this length must begin a word: inside others they mean nothing, and trigrams need three characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFilter:
    """What a set of series is narrowed to; None narrows nothing, limits include their own value."""

    uid: str | None = None
    """SeriesInstanceUID."""
    study: str | None = None
    """StudyInstanceUID."""
    subject: str | None = None
    """Public patient identifier."""
    archive: str | None = None
    collection: str | None = None
    species: str | None = None
    plane: str | None = None
    """The acquired plane."""
    shown_plane: str | None = None
    """A plane that its packs show, acquired or reformatted."""
    sequence: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    """Of the scanner."""
    sex: str | None = None
    license: str | None = None
    field_strength: str | None = None
    """The nominal class: `<1`, `1`, `1.5`, `3` or `7`, tesla."""
    tumor: Tumor | None = None
    """What the label that counts says of the series; `unknown` where nobody said."""
    label_source: LabelSource | None = None
    """Who says so. `model` asks for series that no truth speaks of, and `tumor` then is the active model's verdict."""
    field_strength_min: float | None = None
    """Tesla."""
    field_strength_max: float | None = None
    spacing_min: float | None = None
    """The largest of the three voxel spacings, millimetres."""
    spacing_max: float | None = None
    thickness_min: float | None = None
    """Nominal slice thickness, millimetres."""
    thickness_max: float | None = None
    age_min: float | None = None
    """Years at the study."""
    age_max: float | None = None
    score_min: float | None = None
    """Tumour probability of the series by the active model, 0 to 1."""
    score_max: float | None = None
    date_from: date | None = None
    """Date of the series as the archive tells it."""
    date_to: date | None = None
    q: str | None = None
    """Words that the descriptions of series, study or protocol hold, all of them, in any order."""

    @property
    def active(self) -> frozenset[str]:
        """Names of the filters that narrow."""
        return frozenset(item.name for item in fields(self) if getattr(self, item.name) is not None)


def parameters(wanted: SeriesFilter) -> dict[str, Any]:
    """The values of `series_filter.sql` that follow from the filter alone."""
    patterns = words(wanted.q) if wanted.q is not None else []
    return {
        **{item.name: getattr(wanted, item.name) for item in fields(wanted)},  # asdict would copy deeply
        "study_id": study_id(wanted.study) if wanted.study is not None else None,
        "subject_id": subject_id(wanted.subject) if wanted.subject is not None else None,
        **{f"q{number}": patterns[number] if number < len(patterns) else None for number in range(WORDS_MAX)},
    }


def words(query: str) -> list[str]:
    """LIKE patterns of the words of a full-text query; none of them can hold a wildcard of its own."""
    found = _WORD.findall(query.lower())
    if not found or len(found) > WORDS_MAX:
        raise RejectedInput(Code.REQUEST_INVALID, f"q: one to {WORDS_MAX} words of letters and digits are needed")
    return [f"% {word}%" if len(word) <= _SHORT_CHARACTERS else f"%{word}%" for word in found]
