"""Case 9: member names that leave the folder, links, duplicates, 100,000 entries. Nothing is written anywhere."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from braingranary.dicom.bundle import read_members
from braingranary.errors import Code, RejectedInput
from tests.fixtures.dicom_factory import classic_series

UNSAFE = (
    "../evil.dcm",
    "a/../../evil.dcm",
    "/etc/evil.dcm",
    "..\\evil.dcm",
    "a\\b.dcm",
    "C:/evil.dcm",
    "C:evil.dcm",
    "./evil.dcm",
    "a//b.dcm",
    "evil\x00.dcm",
    "evil\n.dcm",
    "..",
    "x" * 600,
)


def zipped(members: list[tuple[zipfile.ZipInfo | str, bytes]]) -> io.BytesIO:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # duplicate names are the point
        for info, data in members:
            archive.writestr(info, data)
    return buffer


def rejected(buffer: io.BytesIO) -> Code:
    with pytest.raises(RejectedInput) as caught:
        list(read_members(buffer))
    return caught.value.code


@pytest.mark.hostile
def test_read_members_unsafe_names_write_nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    good = classic_series()[0][1]
    for name in UNSAFE:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        # a NUL or backslash would be cleaned away by the writer, so it is put into the bytes
        buffer = zipped([("1.dcm", good), ("Q" * len(name), good)])
        raw = buffer.getvalue().replace(b"Q" * len(name), name.encode())
        assert rejected(io.BytesIO(raw)) is Code.ZIP_UNSAFE_NAME, name
    outside = [path for path in tmp_path.rglob("*") if path.is_file()]
    print(f"case 09 zip slip {len(UNSAFE)} names: outside={len(outside)}")
    assert outside == []


@pytest.mark.hostile
@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_read_members_links_and_devices_are_refused(kind: int) -> None:
    info = zipfile.ZipInfo("link.dcm")
    info.external_attr = (kind | 0o777) << 16
    assert rejected(zipped([(info, b"/etc/passwd")])) is Code.ZIP_UNSAFE_NAME


@pytest.mark.hostile
@pytest.mark.parametrize("names", [("a.dcm", "a.dcm"), ("a.dcm", "A.DCM")])
def test_read_members_duplicate_names_are_refused(names: tuple[str, str]) -> None:
    assert rejected(zipped([(name, b"x") for name in names])) is Code.ZIP_UNSAFE_NAME


@pytest.mark.hostile
def test_read_members_100000_entries_are_refused_before_parsing() -> None:
    buffer = zipped([(f"{index}.dcm", b"") for index in range(100_000)])
    assert rejected(buffer) is Code.ZIP_TOO_MANY_ENTRIES
    print(f"case 09 zip slip 100000 entries: zip_bytes={len(buffer.getvalue())} outside=0")


@pytest.mark.hostile
def test_read_members_forged_entry_count_is_refused() -> None:
    raw = bytearray(zipped([(f"{index}.dcm", b"") for index in range(30_000)]).getvalue())
    end = raw.rindex(b"PK\x05\x06")
    raw[end + 8 : end + 12] = b"\x01\x00\x01\x00"
    assert rejected(io.BytesIO(bytes(raw))) is Code.ZIP_TOO_MANY_ENTRIES


def test_read_members_sound_zip_gives_images_without_companions() -> None:
    files = classic_series()
    members: list[tuple[zipfile.ZipInfo | str, bytes]] = [("LICENSE", b"CC BY")]
    members += [(f"nested/folder/{name}", data) for name, data in files]
    members += [("md5hashes.csv", b"Filename,MD5Hash\n"), ("empty/", b"")]
    found = list(read_members(zipped(members)))
    assert found == [(f"nested/folder/{name}", data) for name, data in files]
