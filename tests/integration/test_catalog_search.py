"""The search engine over a real catalogue: every rule against a plain Python reading of the same rows."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.load.transaction import raise_catalogue_state
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.schema.row_keys import series_id
from braingranary.catalog.search.columns import SORTS
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.catalog.search.query import Count, Position
from braingranary.catalog.search.snapshot import build, open_snapshot
from braingranary.catalog.search.store import Snapshot
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.errors import Code, RejectedInput
from braingranary.records import Plane
from braingranary.storage.store import ObjectStore
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
def snapshot(
    postgres_server: PostgresServer, object_server: ObjectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Snapshot]:
    """Sixty series, loaded by two runs, some scored by the active model and all by another."""
    database = Database(name=f"search_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    store = ObjectStore.from_settings(object_server.settings(bucket=f"search-{secrets.token_hex(8)}"))
    store.ensure_bucket()
    migrate(postgres_server.dsn(database))
    with psycopg.connect(postgres_server.dsn(database), autocommit=True) as connection:
        for name, numbers in (("one", range(40)), ("two", range(30, 60))):
            synthetic.publish(store, name, run_tables(numbers))
            load_run(connection, store, name)
        score(connection)
        path = build(connection, tmp_path_factory.mktemp("snapshot"))
    yield Snapshot(*open_snapshot(path))
    postgres_server.drop_database(database)


def score(connection: psycopg.Connection[Any]) -> None:
    for model, active in ((1, False), (2, True)):
        values = {"id": model, "version": f"v{model}", "sha": str(model), "threshold": THRESHOLD, "active": active}
        connection.execute(MODEL, values)
    packs = dict(connection.execute("SELECT series_id, min(pack_id) FROM pack WHERE acquired GROUP BY 1").fetchall())
    for number in NUMBERS:
        key = series_id(synthetic.uid(number))
        given = {1: 0.99, **({2: SCORES[number]} if number in SCORES else {})}
        for model, probability in given.items():
            declined = probability is None
            pack, at = (None, None) if declined else (packs[key], 0)
            values = {"series": key, "model": model, "score": probability, "declined": declined}
            connection.execute(PREDICTION, {**values, "pack": pack, "at": at})
    raise_catalogue_state(connection)


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
    "acquisition_type": ("2D", "3D", "unknown"),
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
    "q": (
        "brain",
        "T1 brain",
        "post gado",
        "100%",
        "t2\\brain",
        "nothing",
        "ax_t1",
        "Flair SAGITTAL",
        "siemens p-3",
        "set-1",
    ),
}


def asked_for(name: str) -> st.SearchStrategy[tuple[str, Any]]:
    """A filter with one of its values, or with several where it takes them."""
    choices = st.sampled_from(CHOICES[name])
    if not isinstance(CHOICES[name][0], str) or name == "q":
        return st.tuples(st.just(name), choices)
    return st.tuples(st.just(name), choices | st.lists(choices, min_size=2, max_size=3).map(tuple))


# Few filters at a time: with many, hardly a series is left that could tell a wrong rule.
FILTERS: st.SearchStrategy[SeriesFilter] = st.lists(
    st.sampled_from(sorted(CHOICES)).flatmap(asked_for), min_size=2, max_size=4
).map(lambda chosen: SeriesFilter(**dict(chosen)))


def walk(
    snapshot: Snapshot, wanted: SeriesFilter, *, limit: int = 500, sort: str = "newest", descending: bool = True
) -> list[tuple[int, Position]]:
    """All pages of a list, one after the other."""
    selection = snapshot.select(wanted)
    found: list[tuple[int, Position]] = []
    after = None
    while page := selection.page(sort, descending=descending, after=after, limit=limit):
        found += page
        after = page[-1][1]
    return found


def numbers(snapshot: Snapshot, found: list[tuple[int, Position]]) -> list[int]:
    """Numbers of the series of some rows."""
    rows = snapshot.select(SeriesFilter()).rows([row for row, _ in found])
    return [number_of(item["series_uid"]) for item in rows]


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_selection_under_one_filter_agrees_with_python(snapshot: Snapshot, name: str) -> None:
    for value in CHOICES[name]:
        agree(snapshot, SeriesFilter(**{name: value}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=FILTERS)
def test_selection_under_any_filters_and_several_values_agrees_with_python(
    snapshot: Snapshot, wanted: SeriesFilter
) -> None:
    agree(snapshot, wanted)


def agree(snapshot: Snapshot, wanted: SeriesFilter) -> None:
    """Rows, keys, count and facets are those of the plain rules."""
    selection = snapshot.select(wanted)
    matching = expected(wanted)
    found = walk(snapshot, wanted, limit=9)
    assert Counter(numbers(snapshot, found)) == Counter(matching)
    assert selection.series_ids == sorted(series_id(synthetic.uid(number)) for number in matching)
    planes = wanted.asked("shown_plane")
    slices = sum(row(number)["slice_count"] * len(shown(number) & set(planes or PLANES)) for number in matching)
    assert selection.count() == Count(series=len(matching), slices=slices)
    facets = selection.facets()
    for facet, values_of in VALUES.items():
        if facet in {"tumor", "label_source"} and "model" in wanted.asked("label_source"):
            continue  # the model's word then counts in these too, see below
        told = {item.value: item.series_count for item in facets if item.facet == facet}
        assert told == Counter(
            itertools.chain.from_iterable(values_of(number) for number in expected(beside(wanted, facet)))
        )
        slices_by_value: Counter[str] = Counter()
        for number in expected(beside(wanted, facet)):
            counted = 1 if facet == "shown_plane" else len(shown(number) & set(planes or PLANES))
            slices_by_value.update({value: row(number)["slice_count"] * counted for value in values_of(number)})
        assert Counter({item.value: item.slice_count for item in facets if item.facet == facet}) == slices_by_value


def beside(wanted: SeriesFilter, facet: str) -> SeriesFilter:
    """The filter without what it asks of one facet."""
    values = {name: asked for name, asked in wanted.values if name != facet}
    return SeriesFilter(**values, **dict(wanted.limits), q=wanted.q)


def test_facets_of_tumor_by_the_model_tell_its_verdicts(snapshot: Snapshot) -> None:
    facets = snapshot.select(SeriesFilter(label_source="model")).facets()
    assert {item.value: item.series_count for item in facets if item.facet == "tumor"} == {"true": 2, "false": 1}


def test_facets_hold_the_most_frequent_values_and_equals_by_the_alphabet(snapshot: Snapshot) -> None:
    for item_facet in VALUES:
        every = [item for item in snapshot.select(SeriesFilter()).facets() if item.facet == item_facet]
        assert every == sorted(every, key=lambda item: (-item.series_count, item.value))
        few = [item for item in snapshot.select(SeriesFilter()).facets(values_max=2) if item.facet == item_facet]
        assert few == every[:2]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", sorted(SORTS))
def test_pages_in_any_order_visit_every_row_once_and_rows_without_a_value_last(
    snapshot: Snapshot, sort: str, descending: bool
) -> None:
    several = SeriesFilter(collection="Set-1", species="human")
    for wanted, limit in ((SeriesFilter(), 7), (SeriesFilter(collection="Set-1"), 3), (several, 4)):
        found = walk(snapshot, wanted, limit=limit, sort=sort, descending=descending)
        assert found == walk(snapshot, wanted, sort=sort, descending=descending)
        assert Counter(numbers(snapshot, found)) == Counter(expected(wanted))
        assert [row for row, _ in found] == snapshot.select(wanted).ordered(sort, descending=descending).to_list()
        positions = [position for _, position in found]
        valued = [(item.value, item.series_id) for item in positions if item.value is not None]
        assert valued == sorted(valued, reverse=descending)
        bare = [item.series_id for item in positions if item.value is None]
        assert bare == sorted(bare)
        assert [item.value is None for item in positions] == [False] * len(valued) + [True] * len(bare)
        if not wanted.active and not SORTS[sort].required:
            assert bare, "rows with and without a value are to be walked"
            assert valued


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", sorted(SORTS))
def test_page_behind_any_position_holds_what_a_sorted_list_holds_there(
    snapshot: Snapshot, sort: str, descending: bool
) -> None:
    """Also behind places that no page ends with: between two values, before all, behind all, of no series."""
    wanted = SeriesFilter(species="human")
    every = [position for _, position in walk(snapshot, wanted, sort=sort, descending=descending)]
    values = {item.value for item in every} | {step(item.value) for item in every}
    keys = (-(2**63), every[3].series_id - 1, every[3].series_id, 0, 2**63 - 1)
    for after in [*every, *(Position(value=value, series_id=key) for value in values for key in keys)]:
        page = snapshot.select(wanted).page(sort, descending=descending, after=after, limit=4)
        behind = [item for item in every if comes_after(item, after, descending=descending)]
        assert [position for _, position in page] == behind[:4]


def comes_after(item: Position, after: Position, *, descending: bool) -> bool:
    """Whether a row stands behind a position."""
    if item.value is None or after.value is None:
        return item.value is None and (after.value is not None or item.series_id > after.series_id)
    mine, other = (item.value, item.series_id), (after.value, after.series_id)
    return mine < other if descending else mine > other


def step(value: Any) -> Any:
    """The value a little larger."""
    if value is None:
        return None
    return value + timedelta(days=1) if isinstance(value, date) else value + 1


def test_totals_count_series_slices_and_subjects_of_every_value(snapshot: Snapshot) -> None:
    totals = snapshot.totals
    assert (totals.series_count, totals.subject_count) == (len(NUMBERS), len({row(n)["subject"] for n in NUMBERS}))
    assert totals.slice_count == sum(row(number)["slice_count"] * len(shown(number)) for number in NUMBERS)
    for facet, values_of in VALUES.items():
        subjects = {(value, row(number)["subject"]) for number in NUMBERS for value in values_of(number)}
        told = totals.facet(facet)
        assert {item.value: item.subject_count for item in told} == Counter(value for value, _ in subjects)
        assert {item.value: item.series_count for item in told} == Counter(
            itertools.chain.from_iterable(values_of(number) for number in NUMBERS)
        )


def test_totals_of_collections_add_up(snapshot: Snapshot) -> None:
    for collection in snapshot.totals.collections:
        mine = [
            row(n)
            for n in NUMBERS
            if (row(n)["archive"], row(n)["collection"]) == (collection.archive, collection.name)
        ]
        assert (collection.series_count, collection.subject_count, collection.study_count) == (
            len(mine),
            len({item["subject"] for item in mine}),
            len({item["study_uid"] for item in mine}),
        )
        licences = Counter(item["license_name"] for item in mine)
        assert {item.name: item.series_count for item in collection.licenses} == licences
        assert collection.species == sorted({item["species"] for item in mine})
    assert [item.name for item in snapshot.totals.collections] == sorted(
        item.name for item in snapshot.totals.collections
    )


@pytest.mark.parametrize("text", ["%_", "  ", "a b c d e f g h i", "-- '"])
def test_full_text_without_a_word_or_with_too_many_is_rejected(snapshot: Snapshot, text: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        snapshot.select(SeriesFilter(q=text))
    assert caught.value.code is Code.REQUEST_INVALID


def test_filter_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(TypeError, match="nonsense"):
        SeriesFilter(nonsense="x")
