"""Filters, order, pages, counts and facets against a plain Python reading of the same rows."""

from __future__ import annotations

import itertools
import json
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.load.transaction import refresh
from braingranary.catalog.read import series as search
from braingranary.catalog.read.series import SeriesFilter, Sort
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.search import cells
from braingranary.catalog.search import columns as search_columns
from braingranary.catalog.search import facets as facets_module
from braingranary.catalog.search import places as search_places
from braingranary.catalog.sql import statement
from braingranary.devstack.postgres import Database, PostgresServer
from braingranary.devstack.s3 import ObjectServer
from braingranary.errors import Code, RejectedInput
from braingranary.records import Plane
from braingranary.storage.store import ObjectStore
from tests.fixtures.kept import assert_kept, touch_scored
from tests.unit.catalog import synthetic
from tests.unit.catalog.plain_search import (
    LABELS,
    NUMBERS,
    SCORES,
    THRESHOLD,
    VALUES,
    expected,
    number_of,
    row,
    shown,
)

pytestmark = pytest.mark.stack
MODEL = (
    "INSERT INTO model (model_id, version, sha256, weights_key, data_sha256, trained_on, calibration_slope,"
    " calibration_offset, tumor_threshold, series_threshold, brain_threshold, lesion_threshold, active)"
    " VALUES (%(id)s, %(version)s, repeat(%(sha)s, 64), 'k', 'd', 't', 1, 0, 0.5, %(threshold)s, 0.5, 0.5, %(active)s)"
)
PREDICTION = (
    "INSERT INTO series_prediction (series_id, peak_pack_id, published_at, model_id, peak_slice_index, tumor_logit,"
    " tumor_probability, slice_count, accepted_count, declined, input_sha256) VALUES (%(series)s, %(pack)s, now(),"
    " %(model)s, %(at)s, %(score)s, %(score)s, 4, 4, %(declined)s, repeat('a', 64))"
)


def run_tables(numbers: range) -> synthetic.RunTables:
    run = synthetic.RunTables()
    for number in numbers:
        made = row(number)
        run.series.append(made)
        planes = tuple(Plane) if number % 4 == 0 else (Plane(made["plane"]),)
        packs, members = synthetic.pack_rows(number, planes=planes, slices=made["slice_count"])
        run.packs += [{**pack, "acquired": pack["plane"] == made["plane"]} for pack in packs]
        run.slices += members
        for at, (tumor, source) in enumerate(LABELS.get(number, [])):
            whole = source in {"collection", "model:old"}
            plane = made["plane"]
            run.labels.append(
                synthetic.label_row(number, tumor=tumor, source=source, index=None if whole else at, plane=plane)
            )
    return run


@pytest.fixture(scope="module")
def connection(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[psycopg.Connection[Any]]:
    """Sixty series, loaded by two runs, some scored by the active model and all by another."""
    database = Database(name=f"search_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    store = ObjectStore.from_settings(object_server.settings(bucket=f"search-{secrets.token_hex(8)}"))
    store.ensure_bucket()
    migrate(postgres_server.dsn(database))
    with psycopg.connect(postgres_server.dsn(database), autocommit=True) as made:
        for name, numbers in (("one", range(40)), ("two", range(30, 60))):
            synthetic.publish(store, name, run_tables(numbers))
            load_run(made, store, name)
        score(made)
        yield made
    postgres_server.drop_database(database)


def score(connection: psycopg.Connection[Any]) -> None:
    for model, active in ((1, False), (2, True)):
        values = {"id": model, "version": f"v{model}", "sha": str(model), "threshold": THRESHOLD, "active": active}
        connection.execute(MODEL, values)
    for item in search.series_page(connection, SeriesFilter(), limit=500):
        number = number_of(item.series_uid)
        given = {1: 0.99, **({2: SCORES[number]} if number in SCORES else {})}
        for model, score in given.items():
            declined = score is None
            pack, at = (None, None) if declined else (item.cover_pack_id, 0)
            values = {"series": item.series_id, "model": model, "score": score, "declined": declined}
            connection.execute(PREDICTION, {**values, "pack": pack, "at": at})
    touch_scored(connection)


PLANES = tuple(map(str, Plane))
CHOICES: dict[str, tuple[Any, ...]] = {
    "uid": tuple(synthetic.uid(number) for number in (0, 7, 99)),
    "study": ("1.2.826.0.2.1", "1.2.826.0.2.9", "1.9"),
    "subject": ("P-0", "P-3", "nobody"),
    "archive": ("tcia", "idc", "hcp"),
    "collection": ("Set-0", "Set-1", "Set"),
    "species": ("human", "dog", "rat"),
    "plane": PLANES,
    "shown_plane": PLANES,
    "sequence": ("T1", "FLAIR", "unknown"),
    "manufacturer": ("SIEMENS", "unknown", "x'--"),
    "model": ("Skyra", "unknown"),
    "sex": ("F", "M", "unknown"),
    "license": ("CC BY 4.0", "unknown"),
    "field_strength": ("<1", "1", "1.5", "3", "7", "unknown"),
    "tumor": ("true", "false", "unknown"),
    "label_source": ("reader", "mask", "collection", "model", "unknown"),
    "field_strength_min": (1.0, 1.4),
    "field_strength_max": (1.0, 1.5),
    "spacing_min": (0.9375, 1.2, 5.0),
    "spacing_max": (0.9375, 3.0, 5.0),
    "thickness_min": (2.0,),
    "thickness_max": (3.0,),
    "age_min": (24.5, 26.0),
    "age_max": (24.5, 26.0),
    "score_min": (0.5,),
    "score_max": (0.5,),
    "date_from": (date(2020, 1, 4),),
    "date_to": (date(2020, 1, 4),),
    "q": ("brain", "T1 brain", "post gado", "100%", "t2\\brain", "nothing", "ax_t1"),
}
# Few filters at a time: with many, hardly a series is left that could tell a wrong rule.
FILTERS: st.SearchStrategy[SeriesFilter] = st.lists(
    st.sampled_from(sorted(CHOICES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(CHOICES[name]))),
    min_size=2,
    max_size=4,
).map(lambda chosen: SeriesFilter(**dict(chosen)))


def listed(
    connection: psycopg.Connection[Any], wanted: SeriesFilter, *, limit: int = 500, **order: Any
) -> list[search.SeriesItem]:
    """All pages of a list, one after the other."""
    found: list[search.SeriesItem] = []
    after = None
    while page := search.series_page(connection, wanted, after=after, limit=limit, **order):
        found += page
        after = search.position(page[-1], order.get("sort", Sort.NEWEST))
    return found


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_series_page_count_and_facets_under_one_filter_agree_with_python(
    connection: psycopg.Connection[Any], name: str
) -> None:
    for value in CHOICES[name]:
        agree(connection, SeriesFilter(**{name: value}))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=FILTERS)
def test_series_page_count_and_facets_under_any_filter_agree_with_python(
    connection: psycopg.Connection[Any], wanted: SeriesFilter
) -> None:
    agree(connection, wanted)


def agree(connection: psycopg.Connection[Any], wanted: SeriesFilter) -> None:
    """Rows, counts and facets of the search are those of the plain rules, found by PostgreSQL and in kept columns."""
    search_columns.forget()
    agree_once(connection, wanted)
    search.keep(connection)
    agree_once(connection, wanted)
    with pytest.MonkeyPatch.context() as patch:  # as if all were looked at for most pages
        patch.setattr(search_places, "STRETCH_ROWS", 5)
        agree_once(connection, wanted)


def agree_once(connection: psycopg.Connection[Any], wanted: SeriesFilter) -> None:
    found = listed(connection, wanted)
    with pytest.MonkeyPatch.context() as patch:  # as if they were many
        patch.setattr(cells, "GATHERED_MAX", 0)
        assert listed(connection, wanted, limit=9) == found
    assert Counter(number_of(item.series_uid) for item in found) == Counter(expected(wanted))
    count = search.count(connection, wanted)
    assert (count.series, count.exact) == (len(found), True)
    plane = wanted.shown_plane
    assert count.slices == sum(
        row(number)["slice_count"] * (1 if plane else len(shown(number))) for number in expected(wanted)
    )
    answer = search.facets_of(connection, wanted)
    assert answer.count == count
    assert json.loads(search.facets_told(connection, wanted, values_max=2)) == asdict(
        search.facets_of(connection, wanted, values_max=2)
    )
    for facet in ("sequence", "tumor", "shown_plane", "collection"):
        one = SimpleNamespace(**{item.value: item.series_count for item in answer.facets if item.facet == facet})
        # By cells, a facet's own filter is left aside.
        if wanted.active <= set(cells.FACETS) and wanted.label_source != "model":
            wider = expected(replaced(wanted, facet))
        else:
            wider = expected(wanted)
        assert vars(one) == Counter(itertools.chain.from_iterable(VALUES[facet](number) for number in wider))


def replaced(wanted: SeriesFilter, facet: str) -> SeriesFilter:
    values = {name: getattr(wanted, name) for name in wanted.active - {facet}}
    return SeriesFilter(**values)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", list(Sort))
def test_series_page_by_page_visits_every_row_once_in_order(
    connection: psycopg.Connection[Any], sort: Sort, descending: bool
) -> None:
    several = SeriesFilter(collection="Set-1", species="human")
    for wanted, limit in ((SeriesFilter(), 7), (SeriesFilter(collection="Set-1"), 3), (several, 4)):
        search.keep(connection)
        kept = listed(connection, wanted, limit=limit, sort=sort, descending=descending)
        search_columns.forget()
        found = listed(connection, wanted, limit=limit, sort=sort, descending=descending)
        assert kept == found
        assert Counter(number_of(item.series_uid) for item in found) == Counter(expected(wanted))
        positions = [search.position(item, sort) for item in found]
        valued = [(item.value, item.series_id) for item in positions if item.value is not None]
        assert valued == sorted(valued, reverse=descending)
        bare = [item.series_id for item in positions if item.value is None]
        assert bare == sorted(bare)
        assert [item.value is None for item in positions] == [False] * len(valued) + [True] * len(bare)
        if not wanted.active and sort not in {Sort.NEWEST, Sort.SLICE_COUNT, Sort.SPACING}:
            assert bare, "both halves are to be walked"
            assert valued


def test_facets_without_a_filter_equal_the_table_that_the_loads_keep(connection: psycopg.Connection[Any]) -> None:
    """The table's subjects are what each load added; counted anew they are the same."""
    kept = {(item.facet, item.value): item for item in search.facets(connection)}
    answer = search.facets_of(connection, SeriesFilter())
    assert {(item.facet, item.value): item for item in answer.facets} == {
        key: item for key, item in kept.items() if key[0] not in {"total", "reject"}
    }
    assert kept["total", ""].subject_count == len({row(number)["subject"] for number in NUMBERS})
    for facet, values in VALUES.items():
        subjects = {(value, row(number)["subject"]) for number in NUMBERS for value in values(number)}
        assert Counter(value for value, _ in subjects) == {
            value: item.subject_count for (name, value), item in kept.items() if name == facet
        }


def test_search_rows_and_cells_after_several_loads_are_what_a_fresh_count_gives(
    connection: psycopg.Connection[Any],
) -> None:
    both = "SELECT count(*) FROM (TABLE series_search EXCEPT SELECT f.* FROM series_search_fresh AS f)"
    assert connection.execute(both).fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM series_search").fetchone() == (len(NUMBERS),)
    sums = connection.execute("SELECT cell_id, series_count FROM series_cell ORDER BY cell_id").fetchall()
    counted = "SELECT cell_id, count(*) FROM series_search GROUP BY cell_id ORDER BY cell_id"
    assert sums == connection.execute(counted).fetchall()
    assert_kept(connection)


def test_series_told_is_the_same_whatever_the_time_zone_of_who_loads(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL timezone TO 'Asia/Tokyo'")
        assert_kept(connection)
    told = connection.execute("SELECT members FROM series_told LIMIT 1").fetchone()
    assert told is not None
    assert "+00:00" in json.loads(f"{{{told[0]}}}")["published_at"]


def test_count_beyond_the_bound_says_that_there_are_more(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    search_columns.forget()
    monkeypatch.setattr(facets_module, "BOUND", 5)
    assert search.count(connection, SeriesFilter(age_min=1)) == search.Count(series=5, slices=None, exact=False)
    assert search.count(connection, SeriesFilter(sequence="T1")).exact


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", [sort for sort in Sort if sort is not Sort.SCORE])
def test_series_places_behind_any_position_are_the_same_in_columns_and_in_postgresql(
    connection: psycopg.Connection[Any], sort: Sort, descending: bool
) -> None:
    """Also behind places that no page ends with: between two values, before all, behind all, of no series."""
    wanted = SeriesFilter(species="human")
    search.keep(connection)
    ends = [search.position(item, sort) for item in search.series_page(connection, wanted, sort=sort, limit=500)]
    values = {end.value for end in ends} | {step(end.value) for end in ends}
    keys = (-(2**63), ends[3].series_id - 1, ends[3].series_id, 0, 2**63 - 1)
    places = [search.Position(value=value, series_id=key) for value in values for key in keys]
    for after in [*ends, *places]:
        asked: dict[str, Any] = {"sort": sort, "descending": descending, "after": after, "limit": 4}
        search.keep(connection)
        kept = search.series_places(connection, wanted, **asked)
        search_columns.forget()
        assert search.series_places(connection, wanted, **asked) == kept


def step(value: Any) -> Any:
    """The value a little larger."""
    if value is None:
        return None
    return value + timedelta(days=1) if isinstance(value, date) else value + 1


def test_columns_of_a_state_that_has_gone_are_not_used(
    connection: psycopg.Connection[Any],
) -> None:
    """Also where nothing changed that is counted: an age, which only ranges and the order look at."""
    assert search.keep(connection) in {None, len(NUMBERS)}
    assert search_columns.current(connection) is not None
    assert search.keep(connection) is None
    with connection.transaction(force_rollback=True):
        found = connection.execute(
            "UPDATE series SET age_years = 99 WHERE age_years = 21 RETURNING series_id"
        ).fetchall()
        assert found
        connection.execute(statement("refresh/00_touched"))
        connection.execute("INSERT INTO touched_series SELECT unnest(%s)", [[row[0] for row in found]])
        refresh(connection)
        assert search_columns.current(connection) is None
        assert search.count(connection, SeriesFilter(age_min=99)).series == len(found)
    assert search_columns.current(connection) is not None


@pytest.mark.parametrize("wanted", [SeriesFilter(collection="Set-1"), SeriesFilter(q="flair"), SeriesFilter()])
@pytest.mark.parametrize("plane", [None, "coronal"])
def test_slices_of_a_filter_are_as_many_as_its_count_in_the_order_of_packs(
    connection: psycopg.Connection[Any], wanted: SeriesFilter, plane: Any
) -> None:
    wanted = SeriesFilter(**{name: getattr(wanted, name) for name in wanted.active}, shown_plane=plane)
    with connection.transaction():
        found = list(search.slices_of(connection, wanted))
        series = list(search.series_of(connection, wanted))
    assert len(found) == search.count(connection, wanted).slices
    assert [(item.object_key, item.slice_index) for item in found] == sorted(
        (item.object_key, item.slice_index) for item in found
    )
    assert {item.plane for item in found} <= ({plane} if plane else set(PLANES))
    assert {number_of(item.series_uid) for item in series} == expected(wanted)
    masked = [(item.tumor, item.label_source) for item in found if number_of(item.series_uid) == 2]
    assert set(masked) <= {(False, "mask"), (True, "mask"), (None, None)}


def test_full_text_without_a_word_is_rejected(connection: psycopg.Connection[Any]) -> None:
    for text in ("%_", "  ", "a b c d e"):
        with pytest.raises(RejectedInput) as caught:
            search.count(connection, SeriesFilter(q=text))
        assert caught.value.code is Code.REQUEST_INVALID
