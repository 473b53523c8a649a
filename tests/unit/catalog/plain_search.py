"""Sixty series with something of everything, and every rule of the search said again in plain Python.

What the SQL answers is held against this: it is slow, obvious and shares nothing with it.
"""

from __future__ import annotations

import re
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


def words(made: dict[str, Any]) -> str:
    told = [made[name] for name in ("series_description", "study_description", "protocol_name") if made[name]]
    return " " + re.sub(r"[^a-z0-9]+", " ", " ".join(told).lower())


def by_model(number: int, tumor: str | None) -> bool:
    score = SCORES.get(number)
    if label(number)[1] != "unknown":
        return False
    if tumor == "unknown":
        return score is None
    return score is not None and (tumor is None or (score >= THRESHOLD) == (tumor == "true"))


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
    }  # fmt: skip
    if any(getattr(wanted, name) not in {None, value} for name, value in plain.items()):
        return False
    if wanted.shown_plane is not None and wanted.shown_plane not in shown(number):
        return False
    if wanted.label_source == "model":
        if not by_model(number, wanted.tumor):
            return False
    elif not all(
        asked in {None, said} for asked, said in zip((wanted.tumor, wanted.label_source), label(number), strict=True)
    ):
        return False
    ranges = (
        (made["field_strength_tesla"], wanted.field_strength_min, wanted.field_strength_max),
        (spacing(made), wanted.spacing_min, wanted.spacing_max),
        (made["slice_thickness_mm"], wanted.thickness_min, wanted.thickness_max),
        (made["age_years"], wanted.age_min, wanted.age_max),
        (SCORES.get(number), wanted.score_min, wanted.score_max),
        (made["series_date"], wanted.date_from, wanted.date_to),
    )
    if not all(within(*limits) for limits in ranges):
        return False
    asked = re.findall(r"[a-z0-9]+", wanted.q.lower()) if wanted.q is not None else []
    return all((f" {word}" if len(word) < 3 else word) in words(made) for word in asked)


def expected(wanted: SeriesFilter) -> set[int]:
    return {number for number in NUMBERS if matches(number, wanted)}


VALUES: dict[str, Callable[[int], list[str]]] = {
    "sequence": lambda number: [row(number)["sequence"] or "unknown"],
    "tumor": lambda number: [label(number)[0]],
    "shown_plane": lambda number: sorted(shown(number)),
    "collection": lambda number: [row(number)["collection"]],
}
