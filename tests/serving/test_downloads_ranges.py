"""Parts of a zip: any range is that part of the whole, read from the packs it touches alone, where conditions hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braingranary.errors import Code, GranaryError
from braingranary.storage.store import ObjectStore
from serving.downloads.plan import Plan
from serving.downloads.stream import RANGE_BYTES_MAX, Download
from tests.serving.own_site import planned, reading
from tests.serving.serving_site import ServingSite

pytestmark = pytest.mark.stack
ADDRESS = "/api/v1/downloads.zip?query=withtumor_ax"


class Watched(ObjectStore):
    """A store that remembers what was read."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store.client, store.bucket)
        self.read: list[tuple[str, int, int]] = []

    def get_range(self, key: str, start: int, length: int, *, etag: str | None = None) -> bytes:
        self.read.append((key, start, length))
        return super().get_range(key, start, length, etag=etag)


@pytest.fixture(scope="module")
def whole(site: ServingSite) -> Iterator[tuple[Plan, Download, bytes]]:
    with planned(site.dsn) as (plan, connection), reading(plan, site.store, connection) as reader:
        yield plan, reader, b"".join(reader.stream(0, plan.length))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_range_is_that_part_of_the_whole(whole: tuple[Plan, Download, bytes], data: st.DataObject) -> None:
    plan, reader, body = whole
    assert len(body) == plan.length
    start = data.draw(st.integers(0, plan.length - 1))
    stop = data.draw(st.integers(start + 1, plan.length))
    assert b"".join(reader.stream(start, stop)) == body[start:stop]


def test_ranges_at_every_border_of_the_zip_fit_together(site: ServingSite, whole: tuple[Plan, Download, bytes]) -> None:
    plan, _, body = whole
    packs = list(plan.walk())
    borders = {0, plan.slices_at, plan.manifest_at, plan.lines_at, plan.directory_at, plan.entries_at, plan.end_at}
    borders |= {plan.slices_at + pack.after.slices for pack in packs}
    borders |= {plan.lines_at + pack.after.lines for pack in packs}
    borders |= {plan.entries_at + pack.after.entries for pack in packs} | {plan.length}
    spans = itertools.pairwise(sorted(borders | {border - 1 for border in borders if border}))
    with planned(site.dsn) as (other, connection):
        parts = []
        for start, stop in spans:
            # Each by a reader of its own, as after an abort: nothing may depend on what came before.
            with reading(other, site.store, connection) as reader:
                parts.append(b"".join(reader.stream(start, stop)))
    assert b"".join(parts) == body


def test_range_in_the_middle_reads_its_own_pack_alone(site: ServingSite, whole: tuple[Plan, Download, bytes]) -> None:
    plan, _, body = whole
    last = list(plan.walk())[-1]
    start = plan.slices_at + last.place.slices + 10
    store = Watched(site.store)
    with planned(site.dsn) as (other, connection), reading(other, store, connection) as reader:
        assert b"".join(reader.stream(start, start + 5)) == body[start : start + 5]
        assert [key for key, _, _ in store.read] == [last.key]
        assert store.read[0][2] < RANGE_BYTES_MAX
        store.read.clear()
        assert b"".join(reader.stream(plan.manifest_at, plan.length)) == body[plan.manifest_at :]
        assert store.read == []


def test_damaged_pack_is_told_before_one_of_its_bytes_is_passed_on(site: ServingSite) -> None:
    with planned(site.dsn) as (plan, connection):
        pack = next(plan.walk())
        data = bytearray(site.store.get(pack.key))
        data[len(data) // 2] ^= 1
        good = site.store.get(pack.key)
        site.store.put(pack.key, bytes(data))
        try:
            with reading(plan, site.store, connection) as reader:
                answer = reader.stream(0, plan.length)
                passed = next(answer)
                with pytest.raises(GranaryError) as told:
                    next(answer)
        finally:
            site.store.put(pack.key, good)
    assert told.value.code is Code.CHECKSUM_MISMATCH
    assert len(passed) == plan.slices_at


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, None),
        ("bytes=100-199", 100, 200),
        ("bytes=100-99999999999", 100, None),
        ("bytes=-22", -22, None),
        ("bytes=-99999999999", 0, None),
    ],
)
def test_one_range_is_answered_with_206(client: FlaskClient, asked: str, start: int, stop: int | None) -> None:
    body = client.get(ADDRESS).data
    answer = client.get(ADDRESS, headers={"Range": asked})
    first, last, _ = slice(start, stop).indices(len(body))
    assert answer.status_code == 206
    assert answer.data == body[first:last]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(body)}"
    assert int(answer.headers["Content-Length"]) == last - first


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=5-2", "bytes=a-b", "lines=0-1", "bytes"])
def test_ranges_not_understood_are_answered_with_the_whole(client: FlaskClient, asked: str) -> None:
    answer = client.get(ADDRESS, headers={"Range": asked})
    assert (answer.status_code, len(answer.data)) == (200, int(answer.headers["Content-Length"]))
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_range_beyond_the_end_is_416_that_tells_the_length(client: FlaskClient) -> None:
    length = int(client.head(ADDRESS).headers["Content-Length"])
    answer = client.get(ADDRESS, headers={"Range": f"bytes={length}-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{length}")
    assert answer.get_json()["code"] == "request_invalid"


def test_conditions_are_weighed_before_ranges(client: FlaskClient) -> None:
    head = client.head(ADDRESS, headers={"Range": "bytes=0-9"})
    etag, length = head.headers["ETag"], int(head.headers["Content-Length"])
    assert (head.status_code, head.data, length > 1000) == (200, b"", True)
    assert not etag.startswith("W/")

    def status(**headers: str) -> tuple[int, int]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = client.get(ADDRESS, headers={"Range": "bytes=0-9", **sent})
        return answer.status_code, len(answer.data)

    assert status(If_Range=etag) == (206, 10)
    assert status(If_Range='"another"') == (200, length)
    assert status(If_Range=f"W/{etag}") == (200, length)
    assert status(If_Range="Mon, 23 Nov 2026 00:00:00 GMT") == (200, length)
    assert status(If_None_Match=etag) == (304, 0)
    assert status(If_None_Match='"another"') == (206, 10)
    assert status(If_Match='"another"')[0] == 412
    assert status(If_Match=etag) == (206, 10)


def test_downloads_beyond_the_places_of_a_process_are_told_to_come_back(client: FlaskClient) -> None:
    slots = client.application.extensions["granary"].downloads
    for _ in range(slots.limit):
        slots.acquire()
    answer = client.get(ADDRESS)
    for _ in range(slots.limit):
        slots.release()
    assert (answer.status_code, answer.get_json()["code"]) == (503, "server_busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get(ADDRESS).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=5-"}, {"If-None-Match": "*"}, {"Range": "bytes=999999999-"}])
def test_every_answer_gives_its_place_back(site: ServingSite, headers: dict[str, str]) -> None:
    few = site.settings["serving"].model_copy(update={"downloads_max": 1})
    app = site.app(serving=few)
    client = app.test_client()
    for method in (client.get, client.head, client.get):
        answer = method(ADDRESS, headers=headers)
        answer.close()
        assert answer.status_code != 503
    app.extensions["granary"].close()


@pytest.mark.parametrize("nothing", ["bytes=-0", "bytes= -00"])
def test_last_zero_bytes_are_no_range_that_can_be_answered(client: FlaskClient, nothing: str) -> None:
    answer = client.get(ADDRESS, headers={"Range": nothing})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"].startswith("bytes */")
