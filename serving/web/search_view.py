"""What the search page shows around its results: facets as links, what is chosen as chips, ranges as fields.

Every link is a whole state of the page, so that it can be shared, opened in a tab and used without a script. A value
of a facet adds itself to those chosen of it, any of which a series may have; a chosen one takes itself away. Goes in:
the counts of the facets, the query arguments, and how an address is made. Comes out: frozen records for a template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from braingranary.catalog.search.query import Facet

Arguments: TypeAlias = Mapping[str, Sequence[str]]
"""Query arguments: the values of each parameter, none of them empty."""
Address: TypeAlias = Callable[[Arguments], str]
FACETS: Final = {
    "tumor": "Tumour",
    "label_source": "Label by",
    "sequence": "Sequence",
    "plane": "Acquired plane",
    "acquisition_type": "Acquisition",
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
NOT_FILTERS: Final = frozenset({"cursor", "sort", "order", "limit", "count", "format"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a facet as a link that chooses it, or takes it away where it is chosen."""

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


def groups(found: Iterable[Facet], arguments: Arguments, address: Address) -> list[Group]:
    """The facets that offer a choice, or in which one was made."""
    values: dict[str, list[Facet]] = {}
    for item in found:
        values.setdefault(item.facet, []).append(item)
    made = []
    for name, title in FACETS.items():
        chosen = arguments.get(name, ())
        offered = values.get(name, [])
        if not chosen and len(offered) < 2:
            continue
        choices = tuple(
            Choice(
                text=word(name, item.value),
                url=address((without if item.value in chosen else with_value)(arguments, name, item.value)),
                series_count=item.series_count,
                chosen=item.value in chosen,
            )
            for item in offered
        )
        made.append(Group(name=name, title=title, choices=choices, unfolded=name in OPEN or bool(chosen)))
    return made


def chips(arguments: Arguments, address: Address) -> list[Chip]:
    """The filters in force, in the order they were chosen."""
    made = []
    for name, values in filters(arguments).items():
        title = FACETS.get(name) or OTHERS.get(name, name)
        for value in values:
            text = word(name, value) if name in FACETS else value
            made.append(Chip(text=f"{title}: {text}", url=address(without(arguments, name, value))))
    return made


def filters(arguments: Arguments) -> dict[str, Sequence[str]]:
    """Only what narrows: what a download and the facets take."""
    return {name: values for name, values in arguments.items() if name not in NOT_FILTERS}


def with_value(arguments: Arguments, name: str, value: str) -> dict[str, Sequence[str]]:
    """The same with one value more, from the first page on: a cursor is of one list alone."""
    return {**_first_page(arguments), name: (*arguments.get(name, ()), value)}


def without(arguments: Arguments, name: str, value: str | None = None) -> dict[str, Sequence[str]]:
    """The same without one value of a parameter, or without all of them."""
    left = tuple(other for other in arguments.get(name, ()) if value is not None and other != value)
    return {**_first_page(arguments), name: left} if left else _first_page(arguments, name)


def _first_page(arguments: Arguments, *others: str) -> dict[str, Sequence[str]]:
    return {name: values for name, values in arguments.items() if name not in {"cursor", *others}}


def word(facet: str, value: str) -> str:
    """A value of a facet as people say it."""
    return WORDS.get((facet, value), value)
