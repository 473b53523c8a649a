"""The plan of a download out of packs made by hand: its ETag and its places stay the same from release to release."""

from __future__ import annotations

from typing import Any

import pytest

from braingranary.catalog.read.downloads import PackRow
from serving.downloads.plan import Place, Plan

FAR = {"slice_bytes": 800_000_000}


def pack(number: int, **changes: Any) -> PackRow:
    """Three planes a series, two series a subject, four collections; a bit of everything that is quoted."""
    series, plane = divmod(number, 3)
    values: dict[str, Any] = {
        "pack_id": 7 * number - 40,
        "object_key": f"normalized/p/1.2.{series}/000-{plane}.zip",
        "sha256": f"{number:064x}",
        "volume": 0,
        "plane": ("axial", "coronal", "sagittal")[plane],
        "slice_count": 50 + series % 2,
        "pixel_width_mm": 0.9375,
        "pixel_height_mm": 1.0,
        "slice_spacing_mm": 1.2,
        "sequence": (None, "T1")[series % 2],
        "manufacturer": "=cmd",
        "manufacturer_model": "Mödel, 3",
        "field_strength_tesla": 1.5,
        "collection_id": series % 4,
        "archive": "tcia",
        "collection": f"Set {series % 4}",
        "license_name": "CC BY 4.0",
        "license_url": None,
        "citation_url": None,
        "profile": "p",
        "subject": f"P-{series // 2}é",
        "series_uid": f"1.2.{series}",
        "source_url": None,
        "raw_sha256": "ab" * 32,
        "wanted": None,
        "series_tumor": (True, None)[series % 2],
        "series_source": ("collection", None)[series % 2],
        "run_slices": None,
        "run_bytes": None,
        "truths": None,
        "truth_sources": None,
        "model_words": None,
        "slice_bytes": 500_000 + number,
        "model_source": None,
        "model_only": False,
    }
    return PackRow(**{**values, **changes})


def marked(number: int, **changes: Any) -> PackRow:
    """The third and fourth slice with a tumour, say readers, and the fifth without, says a mask."""
    whole = pack(number, **changes)
    return whole._replace(
        run_slices=[2, 2, 1, whole.slice_count - 5],
        run_bytes=[20_000, 20_000, 10_000, whole.slice_bytes - 50_000],
        truths=[None, True, False, None],
        truth_sources=[None, "reader", "mask", None],
    )


def mixed() -> list[PackRow]:
    """A hundred packs; every fifth has slices with labels of their own."""
    return [(marked if number % 5 == 2 else pack)(number) for number in range(100)]


@pytest.mark.parametrize(
    ("packs", "without", "etag", "length", "total"),
    [
        (
            mixed(),
            frozenset[int](),
            "e75caecc24aba68022e6afdebbdf92b479294fbe",
            52_265_220,
            Place(50_468_194, 1_251_348, 544_028, 5_049, 5_049),
        ),
        (
            mixed(),
            frozenset({1}),
            "cf23a231a8a977334e9f3e664f2a32aa32174635",
            39_202_394,
            Place(37_850_150, 943_954, 406_787, 3_774, 3_774),
        ),
        (
            [pack(number, **FAR) for number in range(12)],
            frozenset[int](),
            "3ca62fd9bf2fc42dc29dc5f7584b74b79d6e5777",
            9_600_273_900,
            Place(9_600_054_944, 148_330, 68_888, 606, 606),
        ),
    ],
    ids=["mixed", "left out", "far"],
)
def test_plan_has_the_etag_and_the_places_that_its_packs_give(
    packs: list[PackRow], without: frozenset[int], etag: str, length: int, total: Place
) -> None:
    plan = Plan(iter(packs), without=without)
    assert (plan.length, plan.total, plan.left_out) == (length, total, set(without))
    assert sum(1 for _ in plan.walk()) == plan.packs == sum(row.collection_id not in without for row in packs)
    assert plan.etag == etag


def test_subjects_series_and_rights_are_counted_once_in_whatever_order_they_come() -> None:
    plans = [Plan(packs) for packs in (mixed(), sorted(mixed(), key=lambda row: row.series_uid[::-1]))]
    for plan in plans:
        assert (plan.series, plan.subjects, plan.collection_ids) == (34, 17, [0, 1, 2, 3])
        assert plan.rights.collections == ("Set 0", "Set 1", "Set 2", "Set 3")
    assert plans[0].etag != plans[1].etag
