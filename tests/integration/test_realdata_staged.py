from __future__ import annotations

from pathlib import Path

import pytest

from braingranary.archives import ingest, runs
from braingranary.archives.base import Query
from braingranary.devstack.sample_archive import SampleArchive
from braingranary.storage.store import ObjectStore
from braingranary.storage.uploads import unfinished_uploads
from tests.fixtures.archive import client

pytestmark = [pytest.mark.stack, pytest.mark.realdata]


def test_staging_real_scanners_takes_every_series_and_a_rerun_changes_nothing(
    object_store: ObjectStore, real_data: Path
) -> None:
    published = []
    with SampleArchive(real_data / "dicom") as server, client(server) as archive:
        served = server.series_count
        for run in ("first", "again"):
            manifest = ingest.write_manifest(object_store, run, archive, Query(modalities=()), 3)
            for index in range(len(manifest.batches)):
                ingest.stage_batch(object_store, run, index, archive)
            ingest.publish(object_store, run)
            published.append(runs.read_published(object_store, run))
            raw = {item.key: (item.etag, item.modified) for item in object_store.list("raw/")}
            if run == "first":
                before, asked = raw, server.stats.requests["getImage"]
        assert server.stats.requests["getImage"] == asked == served
    first, again = published
    print(f"staged {first.counts['staged']} of {served} real series, {len(first.rejects)} rejects")
    assert (first.counts["staged"], first.rejects) == (served, ())
    assert (again.counts["staged"], again.counts["already"], again.rejects) == (0, served, ())
    assert again.raw_keys == first.raw_keys
    assert raw == before
    assert list(unfinished_uploads(object_store, "")) == []
