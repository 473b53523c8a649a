"""What the pages are made of: links that hold the whole state, tracks, ages; and nothing hostile becomes a link."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from braingranary.catalog.search.query import Facet
from serving.web import download_options, pipeline_view, search_view
from serving.web.viewer import Track
from tests.unit.catalog import synthetic

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def address(asked: search_view.Arguments) -> str:
    return "/search?" + "&".join(f"{name}={value}" for name, values in asked.items() for value in values)


def facet(name: str, value: str, count: int) -> Facet:
    return Facet(facet=name, value=value, series_count=count, subject_count=None, slice_count=0)


def track(tumor: list[bool | None], scores: list[float | None] | None = None) -> Track:
    return Track(
        plane="coronal",
        pack_id=2**62,
        acquired=True,
        width_mm=200.0,
        height_mm=220.0,
        positions_mm=[2.0 * index - 3 for index in range(len(tumor))],
        tumor=tumor,
        scores=scores or [None] * len(tumor),
    )


def test_facet_links_add_and_take_away_one_value_and_drop_the_cursor() -> None:
    asked = {"sequence": ("T1", "FLAIR"), "sort": ("age",), "cursor": ("abc",)}
    found = [facet("sequence", "T1", 3), facet("sequence", "T2", 2), facet("sex", "F", 1), facet("sex", "unknown", 1)]
    sequence, sex = search_view.groups(found, asked, address)
    assert [(choice.text, choice.url, choice.chosen) for choice in sequence.choices] == [
        ("T1", "/search?sequence=FLAIR&sort=age", True),
        ("T2", "/search?sequence=T1&sequence=FLAIR&sequence=T2&sort=age", False),
    ]
    assert [choice.text for choice in sex.choices] == ["F", "unknown"]
    assert sex.choices[0].url == "/search?sequence=T1&sequence=FLAIR&sort=age&sex=F"


def test_facet_with_one_value_offers_no_choice_unless_it_is_chosen() -> None:
    found = [facet("archive", "tcia", 3)]
    assert search_view.groups(found, {}, address) == []
    assert [group.name for group in search_view.groups(found, {"archive": ("tcia",)}, address)] == ["archive"]


def test_chips_name_every_value_and_lead_to_the_page_without_it() -> None:
    chips = search_view.chips({"tumor": ("true", "unknown"), "age_min": ("20",), "order": ("asc",)}, address)
    assert [(chip.text, chip.url) for chip in chips] == [
        ("Tumour: with tumour", "/search?tumor=unknown&age_min=20&order=asc"),
        ("Tumour: nobody said", "/search?tumor=true&age_min=20&order=asc"),
        ("Age, years from: 20", "/search?tumor=true&tumor=unknown&order=asc"),
    ]


def test_download_choices_mark_the_one_in_force() -> None:
    [(_, planes)] = download_options.choices({"collection": ("A",), "shown_plane": ("axial",)}, address)
    assert [text for text, _, chosen in planes if chosen] == ["Axial"]
    assert planes[0][1] == "/search?collection=A"
    [(_, labels)] = download_options.choices({"query": ("withtumor_ax",)}, address)
    assert labels[0][2]
    assert labels[1][1] == "/search?query=withtumor_ax&labels=model"


def test_search_page_offers_several_values_and_the_table(client: FlaskClient) -> None:
    text = client.get("/search?sequence=T1&sequence=T2&q=&age_min=", headers=BROWSER).text
    assert "3 series" in text
    assert text.count('aria-current="true"') == 2
    assert "/api/v1/series?sequence=T1&amp;sequence=T2&amp;format=csv" in text


def test_track_tells_runs_places_and_where_to_begin(client: FlaskClient) -> None:
    with client.application.test_request_context():
        made = track([False, True, True, None, True])
        assert made.runs(True) == [(1, 2), (4, 1)]
        assert made.runs(False) == [(0, 1)]
        assert made.middle == 2
        assert (made.place(0), made.place(2)) == ("P 3.0 mm", "A 1.0 mm")
        assert made.for_script()["pack"] == str(2**62)
        assert "3 labelled tumour, not scored" in made.told()
        scored = track([None] * 3, [0.1, None, 0.7])
        assert scored.middle == 2
        assert "highest score 0.70 at slice 3" in scored.told()
        assert track([True] * 4).middle == 2


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(seconds=90), "90 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(minutes=119), "119 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(days=3, hours=5), "3 d ago"),
        (timedelta(seconds=-4), "just now"),
    ],
)
def test_age_is_told_in_the_largest_unit_that_fits_twice(age: timedelta, told: str) -> None:
    assert pipeline_view.age_of(age) == told


def test_step_that_never_ran_has_no_age() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    steps = pipeline_view.steps({"normalize": now - timedelta(hours=3)}, now=now)
    assert [(step.text, step.age) for step in steps] == [
        ("Ingested", None),
        ("Normalized", "3 h ago"),
        ("Scored", None),
    ]


@pytest.mark.parametrize("path", ["/search", "/try", "/pipeline", "/download?query=withtumor_ax", "/series/{uid}"])
def test_pages_hold_no_inline_script_or_style(client: FlaskClient, path: str) -> None:
    answer = client.get(path.format(uid=synthetic.uid(1)), headers=BROWSER)
    assert answer.status_code == 200
    text = answer.text
    assert re.findall(r"<script(?![^>]*( src=|application/json))[^>]*>", text) == []
    assert re.findall(r"<[^>]+\s(style|on\w+)=", text) == []
    assert "no-cache" in answer.headers["Cache-Control"]


def test_series_page_begins_at_the_slice_and_plane_that_are_asked_for(client: FlaskClient) -> None:
    text = client.get(f"/series/{synthetic.uid(1)}?plane=sagittal&slice=99", headers=BROWSER).text
    assert 'id="number">6<' in text, "beyond the last slice is the last one"
    assert 'aria-current="true">Sagittal' in text
    assert client.get(f"/series/{synthetic.uid(1)}?volume=7", headers=BROWSER).status_code == 404


@pytest.mark.parametrize(
    ("url", "linked"),
    [("https://doi.org/10.1", True), ("javascript:alert(1)", False), ("JavaScript:alert(1)", False), ("//x.y", False)],
)
def test_address_of_an_archive_is_a_link_only_to_a_page(client: FlaskClient, url: str, linked: bool) -> None:
    app: Flask = client.application
    with app.test_request_context():
        text = render_template_string('{% import "parts.html" as parts %}{{ parts.outside(url) }}', url=url)
    assert ("href=" in text) is linked
