"""Case 10: zips that inflate without end, lie about sizes or hold zips. Reading stops at the budget."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from braingranary.dicom.bundle import read_members
from braingranary.dicom.limits import ZipLimits
from braingranary.errors import Code, RejectedInput
from tests.fixtures.child import run_child

SMALL = ZipLimits(member_bytes_max=1 << 20, total_bytes_max=2 << 20)

READ_ZIP = """
import sys
from braingranary.dicom.bundle import read_members
from braingranary.errors import RejectedInput
got = 0
try:
    with open(sys.argv[1], "rb") as file:
        for _, data in read_members(file):
            got += len(data)
    print("read", got)
except RejectedInput as error:
    print(error.code, got)
"""


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def read_bytes(raw: bytes, limits: ZipLimits) -> tuple[Code | None, int]:
    """The code of the rejection, if any, and how many bytes came out before."""
    got = 0
    try:
        for _, data in read_members(io.BytesIO(raw), limits):
            got += len(data)
    except RejectedInput as error:
        return error.code, got
    return None, got


def forged(raw: bytes, claimed: int, *, local: bool = True) -> bytes:
    """The zip with another inflated size in its directory (and in its local headers)."""
    changed = bytearray(raw)
    at = changed.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<L", changed, at + 24, claimed)
        at = changed.find(b"PK\x01\x02", at + 4)
    if local:
        struct.pack_into("<L", changed, 22, claimed)
    return bytes(changed)


@pytest.mark.hostile
def test_read_members_bombs_stop_at_the_budget() -> None:
    large = bytes(3 << 20)
    noise = bytes(range(256)) * 4096
    cases = {
        "one member over its budget": (zipped({"1.dcm": large}), Code.ZIP_TOO_LARGE),
        "many members over the total": (zipped({f"{i}.dcm": noise for i in range(5)}, 0), Code.ZIP_TOO_LARGE),
        "claims one byte": (forged(zipped({"1.dcm": large}), 1), Code.ZIP_INVALID),
        "claims just the budget": (forged(zipped({"1.dcm": large}), 1 << 20), Code.ZIP_INVALID),
        "claims more than it holds": (forged(zipped({"1.dcm": b"x" * 100}), 1 << 20), Code.ZIP_INVALID),
        "claims 4 GB": (forged(zipped({"1.dcm": b"x" * 100}), 0xFFFFFFFE), Code.ZIP_TOO_LARGE),
        "zip in zip": (zipped({"1.zip": zipped({"2.dcm": b"x"})}), Code.ZIP_INVALID),
        "zip in zip under another name": (zipped({"1.dcm": zipped({"2.dcm": b"x"})}), Code.ZIP_INVALID),
        "cut short": (zipped({"1.dcm": noise})[:-30], Code.ZIP_INVALID),
        "empty file": (b"", Code.ZIP_INVALID),
        "no zip": (b"<html>" * 100, Code.ZIP_INVALID),
    }
    over = 0
    for name, (raw, code) in cases.items():
        found, got = read_bytes(raw, SMALL)
        over += max(got - SMALL.total_bytes_max, 0)
        assert found is code, name
    print(f"case 10 zip bomb {len(cases)} zips: bytes_over_budget={over}")
    assert over == 0


@pytest.mark.hostile
def test_read_members_overlapping_entries_are_refused() -> None:
    """Several directory entries that point at one member: Fifield's bomb."""
    raw = zipped({"1.dcm": bytes(1 << 18)})
    start = raw.index(b"PK\x01\x02")
    end = raw.rindex(b"PK\x05\x06")
    entry = raw[start:end]
    directory = b"".join(entry.replace(b"1.dcm", b"%d.dcm" % index) for index in range(10))
    tail = bytearray(raw[end:])
    struct.pack_into("<HHL", tail, 8, 10, 10, len(directory))
    assert read_bytes(raw[:start] + directory + bytes(tail), ZipLimits())[0] is Code.ZIP_INVALID


@pytest.mark.hostile
def test_read_members_member_within_a_member_is_refused() -> None:
    """Quoted overlap: the first member's bytes are the second member, header and all; every name and CRC is right."""
    inner = zipped({"2.dcm": b"x" * 500}, zipfile.ZIP_STORED)
    quoted = inner[: inner.index(b"PK\x01\x02")]
    raw = zipped({"1.dcm": b"\0" + quoted}, zipfile.ZIP_STORED)
    start, end = raw.index(b"PK\x01\x02"), raw.rindex(b"PK\x05\x06")
    entry = bytearray(inner[inner.index(b"PK\x01\x02") : inner.rindex(b"PK\x05\x06")])
    struct.pack_into("<L", entry, 42, raw.index(quoted))
    tail = bytearray(raw[end:])
    struct.pack_into("<HHL", tail, 8, 2, 2, end - start + len(entry))
    assert read_bytes(raw[:end] + bytes(entry) + bytes(tail), ZipLimits()) == (Code.ZIP_INVALID, 0)


@pytest.mark.hostile
def test_read_members_1_gb_bomb_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("1.dcm", "w") as out,
    ):
        for _ in range(256):
            out.write(bytes(1 << 20))
    honest = path.read_bytes()
    figures = []
    for raw in (honest, forged(honest, 1 << 20, local=False)):
        path.write_bytes(raw)
        child = run_child(READ_ZIP, str(path))
        assert child.exit_status == 0, child.errors
        assert child.lines[-1] in ("zip_too_large 0", "zip_invalid 0")
        figures.append(child.peak_rss_mib)
    print(f"case 10 zip bomb {len(honest) >> 10} KiB to 256 MiB: peak_rss_mib={max(figures)} bytes_over_budget=0")
    assert max(figures) < 150
