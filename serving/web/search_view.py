"""What the search page shows around its results: facets as links, what is chosen as chips, ranges as fields.

Every link is a whole state of the page, so that it can be shared, opened in a tab and used without a script. Goes in:
the counts of the facets, what was asked, and how an address is made. Comes out: frozen records for a template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from braingranary.catalog.read.series import Facet

Asked: TypeAlias = Mapping[str, str]
Address: TypeAlias = Callable[[Asked], str]
FACETS: Final = {
    "tumor": "Tumour",
    "label_source": "Label by",
    "sequence": "Sequence",
    "plane": "Acquired plane",
    "collection": "Collection",
    "field_strength": "Field strength, T",
    "manufacturer": "Manufacturer",
    "model": "Scanner model",
    "species": "Species",
    "sex": "Sex",
    "shown_plane": "Shown plane",
    "license": "Licence",
    "archive": "Archive",
}
"""Facets in the order of the page, each also a filter's name, with its title."""
OPEN: Final = frozenset({"tumor", "sequence", "plane", "collection", "field_strength"})
"""Facets that are unfolded without being used."""
WORDS: Final = {
    ("tumor", "true"): "with tumour",
    ("tumor", "false"): "without tumour",
    ("tumor", "unknown"): "nobody said",
    ("label_source", "unknown"): "nobody",
    ("label_source", "mask"): "lesion mask",
}
RANGES: Final = (
    ("age_min", "age_max", "Age, years", "number"),
    ("spacing_min", "spacing_max", "Largest voxel spacing, mm", "number"),
    ("thickness_min", "thickness_max", "Slice thickness, mm", "number"),
    ("score_min", "score_max", "Tumour score", "number"),
    ("date_from", "date_to", "Date", "date"),
)
"""Lower and upper filter, title, and kind of field."""
RANGE_NAMES: Final = frozenset(name for low, high, _, _ in RANGES for name in (low, high))
SORTS: Final = {
    "newest": "newest",
    "score": "tumour score",
    "date": "date of the scan",
    "age": "age",
    "field_strength": "field strength",
    "slice_count": "number of slices",
    "spacing": "voxel spacing",
}
OTHERS: Final = {"q": "Words", "subject": "Subject", "study": "Study", "uid": "Series", **{
    name: f"{title} {word}" for low, high, title, _ in RANGES for name, word in ((low, "from"), (high, "to"))
}, "field_strength_min": "Field strength from", "field_strength_max": "Field strength to"}  # fmt: skip
NOT_FILTERS: Final = frozenset({"cursor", "sort", "order", "limit", "count"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a facet as a link; a chosen one leads back."""

    text: str
    url: str
    series_count: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One facet."""

    name: str
    title: str
    choices: tuple[Choice, ...]
    unfolded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter in force, and the page without it."""

    text: str
    url: str


def groups(found: Iterable[Facet], asked: Asked, address: Address) -> list[Group]:
    """The facets that offer a choice, or in which one was made."""
    values: dict[str, list[Facet]] = {}
    for item in found:
        values.setdefault(item.facet, []).append(item)
    made = []
    for name, title in FACETS.items():
        chosen = asked.get(name)
        offered = values.get(name, [])
        if chosen is None and len(offered) < 2:
            continue
        choices = tuple(
            Choice(
                text=word(name, item.value),
                url=address(without(asked, name) if item.value == chosen else {**fresh(asked), name: item.value}),
                series_count=item.series_count,
                chosen=item.value == chosen,
            )
            for item in offered
        )
        made.append(Group(name=name, title=title, choices=choices, unfolded=name in OPEN or chosen is not None))
    return made


def chips(asked: Asked, address: Address) -> list[Chip]:
    """The filters in force, in the order they were chosen."""
    made = []
    for name, value in asked.items():
        if name in FACETS:
            made.append(Chip(text=f"{FACETS[name]}: {word(name, value)}", url=address(without(asked, name))))
        elif name not in NOT_FILTERS:
            made.append(Chip(text=f"{OTHERS.get(name, name)}: {value}", url=address(without(asked, name))))
    return made


def filters(asked: Asked) -> dict[str, str]:
    """Only what narrows: what a download and the facets take."""
    return {name: value for name, value in asked.items() if name not in NOT_FILTERS}


def fresh(asked: Asked) -> dict[str, str]:
    """What was asked, from the first page on: a cursor is of one list alone."""
    return {name: value for name, value in asked.items() if name != "cursor"}


def without(asked: Asked, name: str) -> dict[str, str]:
    """The same with one filter less."""
    return {key: value for key, value in fresh(asked).items() if key != name}


def word(facet: str, value: str) -> str:
    """A value of a facet as people say it."""
    return WORDS.get((facet, value)) or ("not told" if value == "unknown" else value)
