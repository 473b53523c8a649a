"""Sixty series with something of everything, and every rule of the search said again in plain Python.

What the SQL answers is held against this: it is slow, obvious and shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from braingranary.catalog.search.filters import SeriesFilter
from braingranary.records import Plane
from tests.unit.catalog import synthetic

NUMBERS = range(60)
FIELDS = (0.35, 1.0, 1.494, 2.8936, 7.0, None)
LABELS: dict[int, list[tuple[bool, str]]] = {
    0: [(True, "collection")],
    1: [(True, "collection"), (False, "mask")],
    2: [(False, "mask"), (True, "mask")],
    3: [(True, "mask"), (False, "reader")],
    4: [(True, "model:old")],
}
SCORES = {3: 0.9, 4: 0.9, 5: 0.2, 6: None, 7: 0.5}
THRESHOLD = 0.5


def row(number: int) -> dict[str, Any]:
    """Series with something of everything, nulls and ties among it."""
    return synthetic.series_row(
        number,
        archive=("tcia", "idc")[number % 7 == 0],
        species=("human", "dog")[number % 11 == 0],
        age_years=None if number % 4 == 0 else 20.5 + number % 9 / 2,
        series_date=None if number % 5 == 0 else date(2020, 1, 1 + number % 9),
        series_description=(f"AX_T1 post {number}", "sag FLAIR 100%", None, "T2\\brain")[number % 4],
        study_description=("Brain w/o contrast", None)[number % 2],
        protocol_name=(None, "gadolinium run")[number % 3 == 0],
        plane=tuple(map(str, Plane))[number % 3],
        manufacturer_model=("Skyra", "Signa", None)[number % 3],
        field_strength_tesla=FIELDS[number % 6],
        slice_spacing_mm=(0.9375, 3.0, 5.0)[number % 3],
        slice_thickness_mm=None if number % 8 == 0 else 1.0 + number % 4,
        acquisition_type=("3D", None, "2D", "3D")[number % 4],
        license_name=("CC BY 4.0", "CC BY-NC 3.0", None)[number % 3],
        slice_count=2 + number % 3,
    )


def number_of(uid: str) -> int:
    return int(uid.rsplit(".", 1)[1]) - 1


def label(number: int) -> tuple[str, str]:
    """Verdict and source of the label that counts."""
    for source in ("reader", "mask", "collection"):
        said = [tumor for tumor, who in LABELS.get(number, []) if who == source]
        if said:
            return str(any(said)).lower(), source
    return "unknown", "unknown"


def shown(number: int) -> set[str]:
    return set(map(str, Plane)) if number % 4 == 0 else {row(number)["plane"]}


def nominal(field: float | None) -> str:
    if field is None:
        return "unknown"
    return {0.35: "<1", 1.0: "1", 1.494: "1.5", 2.8936: "3", 7.0: "7"}[field]


def spacing(made: dict[str, Any]) -> float:
    return float(max(made["row_spacing_mm"], made["column_spacing_mm"], made["slice_spacing_mm"]))


def text(made: dict[str, Any]) -> str:
    """All that words are looked for in."""
    names = (
        "collection", "subject", "study_description", "series_description", "protocol_name", "sequence",
        "manufacturer", "manufacturer_model", "plane",
    )  # fmt: skip
    return " ".join(str(made[name]) for name in names if made[name] is not None).lower()


def verdict(number: int) -> str:
    """What the active model says."""
    score = SCORES.get(number)
    return "unknown" if score is None else str(score >= THRESHOLD).lower()


def labelled(number: int, tumors: tuple[str, ...], sources: tuple[str, ...]) -> bool:
    """Whether somebody who is asked for says one of `tumors`; a model is asked where no truth speaks."""
    said, source = label(number)
    if "model" in sources and source == "unknown":
        said = verdict(number)
        if not tumors and "unknown" not in sources and said == "unknown":
            return False
        sources = (*sources, "unknown")
    return (not sources or source in sources) and (not tumors or said in tumors)


def within(value: Any, low: Any, high: Any) -> bool:
    return not (
        (low is not None and (value is None or value < low)) or (high is not None and (value is None or value > high))
    )


def matches(number: int, wanted: SeriesFilter) -> bool:
    made = row(number)
    plain = {
        "uid": made["series_uid"], "study": made["study_uid"], "subject": made["subject"], "archive": made["archive"],
        "collection": made["collection"], "species": made["species"], "plane": made["plane"],
        "sequence": made["sequence"] or "unknown", "manufacturer": made["manufacturer"] or "unknown",
        "model": made["manufacturer_model"] or "unknown", "sex": made["sex"] or "unknown",
        "license": made["license_name"] or "unknown", "field_strength": nominal(made["field_strength_tesla"]),
        "acquisition_type": made["acquisition_type"] or "unknown",
    }  # fmt: skip
    if any(wanted.asked(name) and value not in wanted.asked(name) for name, value in plain.items()):
        return False
    planes = wanted.asked("shown_plane")
    if planes and not set(planes) & shown(number):
        return False
    if not labelled(number, wanted.asked("tumor"), wanted.asked("label_source")):
        return False
    limits = dict(wanted.limits)
    ranges = (
        (made["field_strength_tesla"], limits.get("field_strength_min"), limits.get("field_strength_max")),
        (spacing(made), limits.get("spacing_min"), limits.get("spacing_max")),
        (made["slice_thickness_mm"], limits.get("thickness_min"), limits.get("thickness_max")),
        (made["age_years"], limits.get("age_min"), limits.get("age_max")),
        (SCORES.get(number), limits.get("score_min"), limits.get("score_max")),
        (made["series_date"], limits.get("date_from"), limits.get("date_to")),
    )
    if not all(within(*each) for each in ranges):
        return False
    return all(word in text(made) for word in (wanted.q or "").lower().split())


def expected(wanted: SeriesFilter) -> set[int]:
    return {number for number in NUMBERS if matches(number, wanted)}


VALUES: dict[str, Callable[[int], list[str]]] = {
    "archive": lambda number: [row(number)["archive"]],
    "collection": lambda number: [row(number)["collection"]],
    "species": lambda number: [row(number)["species"]],
    "sex": lambda number: [row(number)["sex"] or "unknown"],
    "sequence": lambda number: [row(number)["sequence"] or "unknown"],
    "manufacturer": lambda number: [row(number)["manufacturer"] or "unknown"],
    "model": lambda number: [row(number)["manufacturer_model"] or "unknown"],
    "acquisition_type": lambda number: [row(number)["acquisition_type"] or "unknown"],
    "plane": lambda number: [row(number)["plane"]],
    "license": lambda number: [row(number)["license_name"] or "unknown"],
    "field_strength": lambda number: [nominal(row(number)["field_strength_tesla"])],
    "shown_plane": lambda number: sorted(shown(number)),
    "tumor": lambda number: [label(number)[0]],
    "label_source": lambda number: [label(number)[1]],
}
"""Values of a series by facet."""
