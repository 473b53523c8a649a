"""Zips laid out by hand, judged by the standard library: few members, none, and more than a plain zip can count."""

from __future__ import annotations

import io
import zipfile
import zlib

import pytest

from serving.downloads import zip_layout
from serving.http import cursors


@pytest.mark.parametrize("members", [0, 1, 3, 70_000])
def test_layout_of_any_count_is_a_zip_of_the_told_size(members: int) -> None:
    body, directory, size = io.BytesIO(), io.BytesIO(), 0
    for number in range(members):
        name, content = f"folder/{number}.jpg".encode(), str(number).encode()
        offset = body.tell()
        directory.write(zip_layout.central_entry(name, len(content), zlib.crc32(content), offset, far=False))
        size += zip_layout.central_entry_size(len(name), far=False)
        body.write(zip_layout.local_header(name, len(content), zlib.crc32(content)) + content)
    assert size == directory.tell()
    whole = body.getvalue() + directory.getvalue() + zip_layout.end(members, size, body.tell())
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert len(archive.namelist()) == members
        assert archive.testzip() is None


def test_central_entry_beyond_4_gib_keeps_its_offset() -> None:
    offset = 5 * 1024**3
    entry = zip_layout.central_entry(b"a", 1, 0, offset, far=True)
    assert len(entry) == zip_layout.central_entry_size(1, far=True)
    # The standard library reads the directory of a sparse file just as well.
    whole = entry + zip_layout.end(1, len(entry), offset + 100)
    read = zipfile.ZipFile(_Sparse(offset + 100, whole)).infolist()[0]
    assert read.header_offset == offset


@pytest.mark.parametrize("parts", [(5,), (2**62, "axial", 7)])
def test_cursor_comes_back_as_it_went(parts: tuple[int | str, ...]) -> None:
    assert cursors.decode(cursors.encode(*parts), *(type(part) for part in parts)) == parts


class _Sparse(io.RawIOBase):
    """`size` zeros and then `tail`."""

    def __init__(self, size: int, tail: bytes) -> None:
        self.size, self.tail, self.at = size, tail, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.size + len(self.tail))[whence]
        if self.at < 0:
            raise OSError("before the start")
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, count: int = -1) -> bytes:
        end = self.size + len(self.tail) if count < 0 else self.at + count
        head = bytes(max(0, min(end, self.size) - self.at))
        data = head + self.tail[max(0, self.at - self.size) : max(0, end - self.size)]
        self.at += len(data)
        return data
