"""What the viewer of one series is given: its planes as tracks of slices, with positions, truth and scores.

Pure arithmetic on rows of the catalogue, so that the template draws and decides nothing. Goes in: packs, slices and,
where a model has spoken, its scores. Comes out: `Track`s, JSON for the script, and what a person reads at a slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from braingranary.catalog.read.series import PackItem, SliceItem
from serving.api.pictures.slices import slice_url
from serving.api.schemas import SeriesDetail

DIRECTIONS: Final = {"axial": ("S", "I"), "coronal": ("A", "P"), "sagittal": ("R", "L")}
"""Letters of increasing and decreasing position along the normal of each plane; frame RAS+."""
SIDES: Final = {
    "axial": {"n": "A", "s": "P", "w": "R", "e": "L"},
    "coronal": {"n": "S", "s": "I", "w": "R", "e": "L"},
    "sagittal": {"n": "S", "s": "I", "w": "A", "e": "P"},
}
"""What lies at the upper, lower, left and right edge of a picture, by the project's one convention."""
RULER_MM: Final = 50
TIMES: Final = " \N{MULTIPLICATION SIGN} "


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The slices of one volume in one plane, in order. Lengths of the lists are equal."""

    plane: str
    pack_id: int
    acquired: bool
    width_mm: float
    height_mm: float
    positions_mm: list[float]
    tumor: list[bool | None]
    """Truth of each slice by label, None where nobody spoke."""
    scores: list[float | None]
    """Tumour probability of each slice by the active model; None where it is not scored or was declined."""

    @property
    def count(self) -> int:
        """Number of slices."""
        return len(self.positions_mm)

    @property
    def middle(self) -> int:
        """The slice to begin with: where the model is surest of a tumour, else the middle of what is labelled so."""
        scored = [score if score is not None else -1.0 for score in self.scores]
        if scored and max(scored) >= 0:
            return scored.index(max(scored))
        marked = [index for index, tumor in enumerate(self.tumor) if tumor]
        whole = len(marked) in {0, self.count}
        return self.count // 2 if whole else marked[len(marked) // 2]

    @property
    def scored(self) -> bool:
        """Whether a model has looked at it."""
        return any(score is not None for score in self.scores)

    def url(self, index: int) -> str:
        """Address of one slice."""
        return slice_url(f"{self.pack_id}-{index}")

    def place(self, index: int) -> str:
        """Where a slice lies, for people: `S 12.5 mm`."""
        up, down = DIRECTIONS[self.plane]
        position = self.positions_mm[index]
        return f"{up if position >= 0 else down} {abs(position):.1f} mm"

    def told(self) -> str:
        """The strip in words."""
        scored = [(score, -index) for index, score in enumerate(self.scores) if score is not None]
        labelled = sum(bool(tumor) for tumor in self.tumor)
        words = f"{self.count} {self.plane} slices, {labelled} labelled tumour"
        if not scored:
            return f"{words}, not scored"
        best, position = max(scored)
        return f"{words}; highest score {best:.2f} at slice {1 - position}"

    def runs(self, wanted: bool) -> list[tuple[int, int]]:
        """(first, length) of every run of neighbouring slices whose label says `wanted`."""
        found: list[tuple[int, int]] = []
        for index, tumor in enumerate(self.tumor):
            if tumor is not wanted:
                continue
            if found and sum(found[-1]) == index:
                found[-1] = (found[-1][0], found[-1][1] + 1)
            else:
                found.append((index, 1))
        return found

    def for_script(self) -> dict[str, Any]:
        """What the script needs; ids as text, because JavaScript cannot hold 63 bits."""
        up, down = DIRECTIONS[self.plane]
        return {
            "plane": self.plane,
            "first": self.url(0),
            "pack": str(self.pack_id),
            "width": round(self.width_mm, 3),
            "height": round(self.height_mm, 3),
            "up": up,
            "down": down,
            "sides": SIDES[self.plane],
            "positions": [round(position, 2) for position in self.positions_mm],
            "scores": [None if score is None else round(score, 4) for score in self.scores],
            "tumor": self.tumor,
        }


def tracks(
    packs: Iterable[PackItem],
    slices: Iterable[SliceItem],
    *,
    volume: int,
    scores: Mapping[tuple[int, int], float | None] | None = None,
) -> list[Track]:
    """The planes of one volume, the acquired one first. `scores` is by pack and index."""
    of_pack: dict[int, list[SliceItem]] = {}
    for item in slices:
        of_pack.setdefault(item.pack_id, []).append(item)
    known = scores or {}
    made = [
        Track(
            plane=pack.plane,
            pack_id=pack.pack_id,
            acquired=pack.acquired,
            width_mm=pack.width * pack.pixel_width_mm,
            height_mm=pack.height * pack.pixel_height_mm,
            positions_mm=[item.position_mm for item in of_pack[pack.pack_id]],
            tumor=[item.tumor for item in of_pack[pack.pack_id]],
            scores=[known.get((pack.pack_id, item.slice_index)) for item in of_pack[pack.pack_id]],
        )
        for pack in packs
        if pack.volume == volume and pack.pack_id in of_pack
    ]
    return sorted(made, key=lambda track: (not track.acquired, track.plane))


def facts(item: SeriesDetail) -> list[tuple[str, str | None]]:
    """Names and values of the metadata table; None where the catalogue knows nothing."""
    scanner = " ".join(part for part in (item.manufacturer, item.manufacturer_model) if part) or None
    text_plane = f"{item.text_plane}, by its text" if item.text_plane and item.text_plane != item.plane else None
    return [
        ("Sequence", item.sequence),
        ("Description", item.series_description),
        ("Study", item.study_description),
        ("Protocol", item.protocol_name),
        ("Date", item.series_date.isoformat() if item.series_date else None),
        ("Subject", ", ".join(_subject(item))),
        ("Scanner", scanner),
        ("Acquisition", item.acquisition_type),
        ("Field", _with(item.field_strength_tesla, "T", 2)),
        ("Matrix", TIMES.join(map(str, (item.columns, item.rows, item.slice_count)))),
        ("Volumes", str(item.volume_count) if item.volume_count > 1 else None),
        ("Voxel", f"{TIMES.join(f'{size:.3g}' for size in _voxel(item))} mm"),
        ("Obliquity", f"{item.obliquity_deg:.1f}°"),
        ("Plane differs", text_plane),
        ("Echo time", _with(item.echo_time_ms, "ms", 2)),
        ("Repetition time", _with(item.repetition_time_ms, "ms", 1)),
        ("Inversion time", _with(item.inversion_time_ms, "ms", 1)),
        ("Flip angle", f"{item.flip_angle_deg:g}°" if item.flip_angle_deg is not None else None),
        ("Gaps", str(item.slice_gaps) if item.slice_gaps else None),
        ("Duplicates dropped", str(item.slice_duplicates) if item.slice_duplicates else None),
    ]


def _voxel(item: SeriesDetail) -> tuple[float, float, float]:
    return item.column_spacing_mm, item.row_spacing_mm, item.slice_spacing_mm


def _subject(item: SeriesDetail) -> list[str]:
    age = f"{item.age_years:.0f} years" if item.age_years is not None else None
    species = item.species if item.species != "human" else None
    return [part for part in (item.subject, item.sex, age, species) if part]


def _with(value: float | None, unit: str, digits: int) -> str | None:
    return None if value is None else f"{round(value, digits):g} {unit}"
