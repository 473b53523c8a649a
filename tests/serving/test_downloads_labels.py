"""Downloads against the catalogue's own word: the same slices, slice by slice, for every query and whoever's labels."""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from collections.abc import Iterator

import psycopg
import pytest

from braingranary.catalog.load.transaction import raise_catalogue_state
from braingranary.catalog.read import downloads
from braingranary.catalog.read.downloads import Labels
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from serving.downloads.plan import Plan
from tests.fixtures.named_slices import named_query_slices
from tests.fixtures.snapshots import snapshot_of
from tests.serving.own_site import own_site, reading
from tests.serving.serving_site import ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
LABELS: tuple[Labels, ...] = ("truth", "model", "all")
QUERIES = [f"{tumor}_{plane}" for tumor in ("withtumor", "notumor") for plane in ("ax", "cor", "sag")]
NO_TRUTH = 3  # the series that only the model speaks of
MODEL = """
INSERT INTO model (
    model_id, version, sha256, weights_key, data_sha256, trained_on, calibration_slope, calibration_offset,
    tumor_threshold, series_threshold, brain_threshold, lesion_threshold, active
) VALUES (1, 'test-1', repeat('a', 64), 'models/test', repeat('b', 64), 'nothing', 1, 0, 0.5, 0.5, 0.5, 0.5, true)
"""
SERIES = """
INSERT INTO series_prediction (
    series_id, peak_pack_id, peak_slice_index, published_at, model_id, tumor_logit, tumor_probability, slice_count,
    accepted_count, declined, input_sha256
)
SELECT s.series_id, min(p.pack_id), 3, now(), 1, 1, 0.9, 6, 5, false, repeat('c', 64)
FROM series AS s INNER JOIN pack AS p ON s.series_id = p.series_id GROUP BY s.series_id
"""
# Tumour from slice 3 on; the last slice does not look like a brain, so that the model does not speak of it.
SLICES = """
INSERT INTO slice_prediction (
    pack_id, model_id, slice_index, tumor_logit, tumor_probability, brain_probability, lesion_area_px
)
SELECT pack_id, 1, slice_index, 0, CASE WHEN slice_index >= 3 THEN 0.9 ELSE 0.1 END,
    CASE WHEN slice_index = 5 THEN 0.1 ELSE 0.9 END, 0
FROM slice
"""


SLICES_OF = """
SELECT s.series_uid, p.plane, l.slice_index, coalesce(lt.source, st.source, '')
FROM series AS s
INNER JOIN pack AS p ON s.series_id = p.series_id
INNER JOIN slice AS l ON p.pack_id = l.pack_id
LEFT JOIN slice_truth AS lt ON l.pack_id = lt.pack_id AND l.slice_index = lt.slice_index
LEFT JOIN series_truth AS st ON s.series_id = st.series_id
WHERE s.series_id = any(%(keys)s) AND (%(planes)s::text[] IS NULL OR p.plane = any(%(planes)s))
ORDER BY p.object_key COLLATE "C", l.slice_index
"""


@pytest.fixture(scope="module")
def scored(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[ServingSite]:
    """A site where a model has looked at every slice, and at one series that nobody labelled."""
    with own_site(postgres_server, object_server, numbers=range(NO_TRUTH + 1)) as site:
        with psycopg.connect(site.dsn, autocommit=True) as connection:
            for text in (MODEL, SERIES, SLICES):
                connection.execute(text)
            raise_catalogue_state(connection)
        yield site


def lines(site: ServingSite, connection: psycopg.Connection[tuple[object, ...]], plan: Plan) -> list[dict[str, str]]:
    """The manifest of a plan, after a look at every member."""
    with reading(plan, site.store, connection) as reader:
        data = b"".join(reader.stream(0, plan.length))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return list(csv.DictReader(io.TextIOWrapper(archive.open("manifest.csv"), "utf-8", newline="")))


@pytest.mark.parametrize("labels", LABELS)
def test_named_query_holds_exactly_the_slices_that_the_catalogue_answers(scored: ServingSite, labels: Labels) -> None:
    with psycopg.connect(scored.dsn, autocommit=True) as connection:
        for query in QUERIES:
            with connection.transaction():
                expected = [
                    (item.series_uid, item.plane, item.slice_index, item.label_source)
                    for item in named_query_slices(connection, query, labels)
                ]
            told = lines(scored, connection, Plan(downloads.packs_of_named_query(connection, query, labels)))
            found = [(line["series_uid"], line["plane"], int(line["slice"]), line["label_source"]) for line in told]
            assert found == expected, (query, labels)
            assert {line["label"] for line in told} <= {"tumor" if query.startswith("with") else "no_tumor"}


def test_word_of_the_model_is_carried_only_where_it_counts(scored: ServingSite) -> None:
    with psycopg.connect(scored.dsn, autocommit=True) as connection:
        keys = snapshot_of(connection).select(SeriesFilter()).series_ids
        rows = {labels: list(downloads.packs_of_series(connection, keys, labels)) for labels in LABELS}
    for row in rows["truth"] + rows["all"]:
        assert (row.run_slices is None) == (row.truths is None and row.model_source is None)
    assert {row.model_source for row in rows["truth"]} == {None}
    assert {row.series_uid for row in rows["all"] if row.model_source} == {synthetic.uid(NO_TRUTH)}


def test_model_speaks_only_where_no_truth_does(scored: ServingSite) -> None:
    with psycopg.connect(scored.dsn, autocommit=True) as connection:
        keys = snapshot_of(connection).select(SeriesFilter(shown_plane="axial")).series_ids
        told = {
            labels: lines(
                scored, connection, Plan(downloads.packs_of_series(connection, keys, labels, planes=["axial"]))
            )
            for labels in LABELS
        }
    assert [len(told[labels]) for labels in LABELS] == [24, 5, 24]
    for labels, (number, line) in itertools.product(LABELS, enumerate(told["all"])):
        of_model = line["series_uid"] == synthetic.uid(NO_TRUTH) and line["slice"] != "0005"
        assert (line["label_source"] == "model:test-1") is of_model
        if labels == "truth" and not of_model:
            assert told[labels][number] == line
    assert told["model"] == [line for line in told["all"] if line["label_source"] == "model:test-1"]
    unlabelled = [line for line in told["truth"] if line["series_uid"] == synthetic.uid(NO_TRUTH)]
    assert {(line["label"], line["label_source"]) for line in unlabelled} == {("", "")}
    assert [line["label"] for line in told["model"]] == ["no_tumor"] * 3 + ["tumor"] * 2


@pytest.mark.parametrize(
    "wanted",
    [
        SeriesFilter(),
        SeriesFilter(collection="Set-1"),
        SeriesFilter(sequence="T1", shown_plane="sagittal"),
        SeriesFilter(tumor="unknown"),
        SeriesFilter(uid=synthetic.uid(1)),
    ],
)
def test_filter_holds_exactly_the_slices_that_the_search_answers(scored: ServingSite, wanted: SeriesFilter) -> None:
    with psycopg.connect(scored.dsn, autocommit=True) as connection:
        keys, planes = snapshot_of(connection).select(wanted).series_ids, wanted.asked("shown_plane")
        expected = connection.execute(SLICES_OF, {"keys": keys, "planes": list(planes) or None}).fetchall()
        told = lines(scored, connection, Plan(downloads.packs_of_series(connection, keys, planes=planes)))
    found = [(line["series_uid"], line["plane"], int(line["slice"]), line["label_source"]) for line in told]
    assert found == expected
    assert found
