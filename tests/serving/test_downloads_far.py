"""Zips larger than a plain zip can count, laid out over a catalogue whose slices have lengths but no bytes."""

from __future__ import annotations

import csv
import io
import zipfile

import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.storage.store import ObjectStore
from serving.downloads import zip_layout
from tests.serving.own_site import planned, reading
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
PACKS = 70
SLICES = 1_000
SLICE_BYTES = 80_000  # 70,000 of them are 5.6 GB


class Sparse(io.RawIOBase):
    """A file of `size` bytes of which only the end, `tail`, is there."""

    def __init__(self, size: int, tail: bytes) -> None:
        self.size, self.tail, self.at = size, tail, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = (0, self.at, self.size)[whence] + offset
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1) -> bytes:
        start = self.at - (self.size - len(self.tail))
        assert start >= 0, "nothing before the end may be needed"
        data = self.tail[start:] if size < 0 else self.tail[start : start + size]
        self.at += len(data)
        return data


@pytest.fixture
def large(postgres_dsn: str, object_store: ObjectStore) -> str:
    migrate(postgres_dsn)
    part = synthetic.many_slices(PACKS, SLICES)
    synthetic.publish_arrow(object_store, "far", [part])
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        load_run(connection, object_store, "far")
        connection.execute(
            "UPDATE slice SET byte_length = %(size)s, byte_offset = 40 + slice_index * (%(size)s::bigint + 40)",
            {"size": SLICE_BYTES},
        )
        connection.execute(
            "INSERT INTO label (series_id, tumor, source, published_at) "
            "SELECT series_id, true, 'collection', now() FROM series"
        )
    return postgres_dsn


def test_zip_of_70_000_members_and_5_gib_is_read_by_the_standard_library(large: str, object_store: ObjectStore) -> None:
    with planned(large) as (plan, connection), reading(plan, object_store, connection) as reader:
        assert plan.length > PACKS * SLICES * SLICE_BYTES > zip_layout.LIMIT_32
        tail = b"".join(reader.stream(plan.manifest_at, plan.length))
        assert len(tail) == plan.length - plan.manifest_at
        far = [pack.far for pack in plan.walk()]
        half = b"".join(reader.stream(plan.length - len(tail) // 2, plan.length))
        assert half == tail[-len(half) :]
    assert (far[0], far[-1]) == (False, True)
    with zipfile.ZipFile(Sparse(plan.length, tail)) as archive:
        members = archive.infolist()
        assert len(members) == PACKS * SLICES + 3
        slices = members[2:-1]
        assert {item.file_size for item in slices} == {SLICE_BYTES}
        at = plan.slices_at
        for item in slices:
            assert item.header_offset == at
            at += zip_layout.local_header_size(len(item.filename)) + SLICE_BYTES
        assert members[-1].header_offset == at == plan.manifest_at > zip_layout.LIMIT_32
        lines = csv.DictReader(io.TextIOWrapper(archive.open("manifest.csv"), "utf-8", newline=""))
        assert [line["path"] for line in lines] == [item.filename for item in slices]


@pytest.mark.parametrize("size", [zip_layout.LIMIT_32 - 1, zip_layout.LIMIT_32, 2**40])
@pytest.mark.parametrize("far", [False, True])
def test_member_beyond_4_gib_tells_its_size_in_both_headers(size: int, *, far: bool) -> None:
    offset = 5 * 1024**3 if far else 7
    entry = zip_layout.central_entry(b"manifest.csv", size, 9, offset, far=far)
    local = zip_layout.local_header(b"manifest.csv", size, 9)
    assert len(entry) == zip_layout.central_entry_size(12, far=far, size=size)
    assert len(local) == zip_layout.local_header_size(12, size)
    start = 2**41
    whole = entry + zip_layout.end(1, len(entry), start)
    read = zipfile.ZipFile(Sparse(start + len(whole), whole)).infolist()[0]
    assert (read.header_offset, read.file_size, read.compress_size, read.CRC) == (offset, size, size, 9)
