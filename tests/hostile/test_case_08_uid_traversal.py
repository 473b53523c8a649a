"""Case 8: records whose UIDs and names are paths, control characters or endless. Every key stays under its prefix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from braingranary.archives import ingest, runs
from braingranary.archives.base import Query
from braingranary.devstack.sample_archive import SampleArchive
from braingranary.errors import Code, RejectedInput
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.fixtures.archive import add_series, client, listing, override

HOSTILE = (
    "../../../etc/passwd",
    "..",
    "/absolute/1.2.3",
    "1.2.3/../../x",
    "1.2.3\x00.zip",
    "1.2.3\r\nX-Evil: 1",
    "1." + "2" * 10_000,
    "1.2.\uff13",
    "..\\..\\windows",
    "%2e%2e%2f%2e%2e",
    "1.2.3 ",
    "ā" * 400,
    "",
)
PLACES = re.compile(
    r"(raw/[^/]+/[^/]+/[0-9.]+/([0-9a-f]{64}\.(zip|receipt\.json)|canonical\.json)"
    r"|wanted/[^/]+/[^/]+/[0-9.]+\.json"
    r"|quarantine/[^/]+/[^/]+/[^/]+/[^/]+"
    r"|runs/ingest/[^/]+/(manifest|published|batches/[0-9]{4})\.json)\Z"
)


def is_outside(key: str) -> bool:
    return not PLACES.match(key) or any(part in {"", ".", ".."} for part in key.split("/"))


@pytest.mark.hostile
@pytest.mark.stack
def test_ingest_hostile_names_in_records_keep_every_key_under_its_prefix(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    for number, text in enumerate(HOSTILE):
        add_series(tmp_path, number, collection=f"uid-{number}", slices=1)
        override(tmp_path, f"uid-{number}", SeriesInstanceUID=text)
        add_series(tmp_path, 100 + number, collection=f"name-{number}", slices=1)
        override(tmp_path, f"name-{number}", Collection=text, PatientID=text, SeriesDescription=text)
    with SampleArchive(tmp_path) as server, client(server) as archive:
        manifest = ingest.write_manifest(object_store, "../run\x00", archive, Query(), 5)
        for index in range(len(manifest.batches)):
            ingest.stage_batch(object_store, "../run\x00", index, archive)
        ingest.publish(object_store, "../run\x00")
    published = runs.read_published(object_store, "../run\x00")
    outside = sum(map(is_outside, listing(object_store)))
    # A UID padded by a blank is one; the archive does not know it and refuses. All others are told as what they are.
    codes = [reject.code for reject in published.rejects]
    assert sorted(codes) == [Code.ARCHIVE_REFUSED] + [Code.UID_INVALID] * (len(HOSTILE) - 1)
    assert len(published.raw_keys) >= len(HOSTILE)
    assert outside == 0
    print(f"case 08 uid_traversal: outside={outside} of {len(listing(object_store))} keys")


@pytest.mark.hostile
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=80))
def test_raw_prefix_any_text_stays_below_raw_or_is_refused(archive: str, collection: str, uid: str) -> None:
    try:
        prefix = keys.raw_prefix(archive, collection, uid)
    except RejectedInput:
        return
    assert re.fullmatch(r"raw/[^/]{1,120}/[^/]{1,120}/[0-9.]{3,64}/", prefix)
    assert ".." not in prefix.split("/")


@pytest.mark.hostile
@given(st.text(min_size=1, max_size=400))
def test_segment_any_text_is_one_printable_segment(text: str) -> None:
    segment = keys.segment(text)
    assert re.fullmatch(r"[A-Za-z0-9_~][A-Za-z0-9 ._+=()~-]{0,119}", segment)


@pytest.mark.hostile
@pytest.mark.stack
@pytest.mark.parametrize("key", ["", "a//b", "../a", "a/../b", "a/./b", "/a", "a/", "a\x00b", "a\nb", "k" * 1025])
def test_store_key_that_is_a_path_elsewhere_is_refused(object_store: ObjectStore, key: str) -> None:
    with pytest.raises(RejectedInput) as refused:
        object_store.put(key, b"x")
    assert refused.value.code is Code.KEY_INVALID
