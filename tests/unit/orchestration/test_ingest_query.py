"""What one run of tcia_ingest asks for: its interval on a schedule, the form by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from braingranary.archives.base import Query
from braingranary.errors import ConfigurationError, RejectedInput
from braingranary.orchestration.connections import ArchiveSettings
from braingranary.orchestration.steps.context import Interval
from braingranary.orchestration.steps.ingest import wanted

NIGHT = Interval(start=datetime(2026, 3, 1, 2, tzinfo=UTC), end=datetime(2026, 3, 2, 2, tzinfo=UTC))
FORM: dict[str, Any] = {"modality": ["MR", "SEG"], "patients": None, "series": None, "limit": None, "collection": None}


def settings(*collections: str) -> ArchiveSettings:
    return ArchiveSettings(
        base_url="https://nbia.example.org/", name="tcia", collections=collections, connections=1, batch_series=4
    )


def test_wanted_timed_run_takes_its_interval_of_the_listed_collections() -> None:
    assert wanted(FORM, NIGHT, settings("A", "B")) == Query(
        collections=("A", "B"),
        modalities=("MR", "SEG"),
        released_from=date(2026, 3, 1),
        released_before=date(2026, 3, 2),
    )


def test_wanted_backfill_with_a_collection_takes_that_one() -> None:
    query = wanted({**FORM, "collection": " C "}, NIGHT, settings("A"))
    assert query is not None
    assert (query.collections, query.released_from) == (("C",), date(2026, 3, 1))


def test_wanted_timed_run_without_any_collection_takes_nothing() -> None:
    assert wanted(FORM, NIGHT, settings()) is None


def test_wanted_consecutive_nights_leave_no_gap_and_no_overlap() -> None:
    days: list[date] = []
    for night in range(800):  # over a leap day and many months' ends
        start = datetime(2023, 11, 1, 2, tzinfo=UTC) + timedelta(days=night)
        query = wanted(FORM, Interval(start=start, end=start + timedelta(days=1)), settings("A"))
        assert query is not None
        assert query.released_from is not None
        assert query.released_before is not None
        days += [
            query.released_from + timedelta(days=n) for n in range((query.released_before - query.released_from).days)
        ]
    assert days == [date(2023, 11, 1) + timedelta(days=n) for n in range(800)]


def test_wanted_by_hand_takes_the_form_whenever_released() -> None:
    form = {**FORM, "collection": "C", "patients": ["P1", " P2 ", ""], "modality": None, "limit": 3}
    assert wanted(form, None, settings("A")) == Query(collections=("C",), patients=("P1", "P2"), modalities=(), limit=3)


def test_wanted_list_of_series_needs_no_collection() -> None:
    query = wanted({**FORM, "series": "1.2.3\n1.2.4\n"}, None, settings())
    assert query is not None
    assert query.series_uids == ("1.2.3", "1.2.4")


def test_wanted_tcia_manifest_naming_an_inner_server_is_refused() -> None:
    text = "downloadServerUrl=http://169.254.169.254/x\nListOfSeriesToDownload=\n1.2.3\n"
    with pytest.raises(RejectedInput):
        wanted({**FORM, "series": text}, None, settings())


@pytest.mark.parametrize("form", [FORM, {**FORM, "collection": "  ", "series": "\n"}, {**FORM, "patients": ["P1"]}])
def test_wanted_by_hand_without_a_choice_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        wanted(form, None, settings("A"))
