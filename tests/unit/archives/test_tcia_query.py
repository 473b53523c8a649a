"""What one run of tcia_ingest asks for: its interval on a schedule, the form by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from braingranary.archives.base import Query, ReleaseInterval
from braingranary.archives.connection import ArchiveConnection
from braingranary.archives.tcia.kind import TCIA
from braingranary.errors import ConfigurationError, RejectedInput
from braingranary.orchestration.steps.context import Interval
from braingranary.orchestration.steps.ingest import release_interval

NIGHT = ReleaseInterval(start=date(2026, 3, 1), before=date(2026, 3, 2))
FORM: dict[str, Any] = {
    "modality": ["MR", "SEG"], "patients": None, "series": None, "limit": None, "collection": None,
    "released_from": None, "released_before": None, "look_back_days": 0, "force": False,
}  # fmt: skip


def connection(*collections: str) -> ArchiveConnection:
    return ArchiveConnection(
        name="granary_tcia", host="https://nbia.example.org/", extra={"collections": list(collections)}
    )


def query(params: dict[str, Any], interval: ReleaseInterval | None, *collections: str) -> Query | None:
    return TCIA.query(params, interval, connection(*collections))


def test_query_scheduled_run_takes_its_interval_of_the_listed_collections() -> None:
    assert query(FORM, NIGHT, "A", "B") == Query(
        collections=("A", "B"),
        modalities=("MR", "SEG"),
        released_from=date(2026, 3, 1),
        released_before=date(2026, 3, 2),
    )


def test_query_scheduled_run_looks_back_as_many_days_as_the_form_says() -> None:
    found = query({**FORM, "look_back_days": 3}, NIGHT, "A")
    assert found is not None
    assert (found.released_from, found.released_before) == (date(2026, 2, 26), date(2026, 3, 2))


def test_query_backfill_with_a_collection_takes_that_one() -> None:
    found = query({**FORM, "collection": " C "}, NIGHT, "A")
    assert found is not None
    assert (found.collections, found.released_from) == (("C",), date(2026, 3, 1))


def test_query_scheduled_run_without_any_collection_takes_nothing() -> None:
    assert query(FORM, NIGHT) is None


def test_query_consecutive_nights_without_look_back_leave_no_gap_and_no_overlap() -> None:
    days: list[date] = []
    for night in range(800):  # over a leap day and many months' ends
        start = datetime(2023, 11, 1, 2, tzinfo=UTC) + timedelta(days=night)
        interval = release_interval(Interval(start=start, end=start + timedelta(days=1)))
        found = query(FORM, interval, "A")
        assert found is not None
        assert found.released_from is not None
        assert found.released_before is not None
        days += [
            found.released_from + timedelta(days=n) for n in range((found.released_before - found.released_from).days)
        ]
    assert days == [date(2023, 11, 1) + timedelta(days=n) for n in range(800)]


def test_query_by_hand_takes_the_form_whenever_released() -> None:
    form = {**FORM, "collection": "C", "patients": ["P1", " P2 ", ""], "modality": None, "limit": 3}
    assert query(form, None, "A") == Query(collections=("C",), patients=("P1", "P2"), modalities=(), limit=3)


@pytest.mark.parametrize("interval", [None, NIGHT])
def test_query_dates_of_the_form_come_before_the_interval(interval: ReleaseInterval | None) -> None:
    form = {**FORM, "released_from": "2025-01-01", "released_before": "2025-02-01", "look_back_days": 3}
    found = query(form, interval, "A")
    assert found is not None
    assert (found.collections, found.released_from, found.released_before) == (
        ("A",),
        date(2025, 1, 1),
        date(2025, 2, 1),
    )


def test_query_list_of_series_needs_no_collection() -> None:
    found = query({**FORM, "series": "1.2.3\n1.2.4\n"}, None)
    assert found is not None
    assert found.series_uids == ("1.2.3", "1.2.4")


def test_query_tcia_manifest_naming_an_inner_server_is_refused() -> None:
    text = "downloadServerUrl=http://169.254.169.254/x\nListOfSeriesToDownload=\n1.2.3\n"
    with pytest.raises(RejectedInput):
        query({**FORM, "series": text}, None)


@pytest.mark.parametrize("form", [FORM, {**FORM, "collection": "  ", "series": "\n"}, {**FORM, "patients": ["P1"]}])
def test_query_by_hand_without_a_choice_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        query(form, None, "A")


def test_query_wrong_date_is_named_without_its_value() -> None:
    with pytest.raises(ConfigurationError, match="released_from") as caught:
        query({**FORM, "collection": "C", "released_from": "yesterday"}, None)
    assert "yesterday" not in str(caught.value)
