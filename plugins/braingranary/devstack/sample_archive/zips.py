"""The zip of one series as NBIA streams it: LICENSE, images, md5hashes.csv, in constant memory.

The bytes depend on the images alone (fixed timestamps), so two downloads are equal. Members are deflated with data
descriptors, as a server does that cannot seek in its answer.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from typing import Final

from braingranary.devstack.sample_archive.faults import Fault
from braingranary.devstack.sample_archive.index import Series

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES: Final = 1024 * 1024
_ZIP64_FROM_BYTES: Final = 2**31


class _Sink(io.RawIOBase):
    """A file that cannot seek and hands every byte on, in pieces worth a system call."""

    def __init__(self, send: Callable[[bytes], None], piece_bytes: int = 256 * 1024) -> None:
        super().__init__()
        self._send = send
        self._piece_bytes = piece_bytes
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if len(data) >= self._piece_bytes:
            self.flush()
            self._send(data)  # as it is: copying a scan's bytes once more is half of what serving them costs
        else:
            self._held += data
            if len(self._held) >= self._piece_bytes:
                self.flush()
        return len(data)

    def flush(self) -> None:
        if self._held:
            piece = bytes(self._held)
            self._held.clear()
            self._send(piece)


def member_names(count: int, *, new_names: bool) -> list[str]:
    """`1-001.dcm` with NewFileNames (as many digits as the count has, two at least), else `00000001.dcm`."""
    if not new_names:
        return [f"{number:08d}.dcm" for number in range(1, count + 1)]
    digits = max(2, len(str(count)))
    return [f"1-{number:0{digits}d}.dcm" for number in range(1, count + 1)]


def write_zip(
    series: Series,
    send: Callable[[bytes], None],
    *,
    license_text: str | None,
    new_names: bool,
    with_md5: bool,
    level: int,
    fault: Fault | None = None,
) -> None:
    """Send the zip of `series` piece by piece; SHORT_ZIP, WRONG_MD5 and FLIPPED_BYTE hit the middle image."""
    sink = _Sink(send)
    names = member_names(len(series.files), new_names=new_names)
    middle = len(names) // 2
    lines = ["Filename,MD5Hash"]
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as target:
        if license_text is not None:
            target.writestr(_info("LICENSE", 0, level), license_text)
        for number, (name, image) in enumerate(zip(names, series.files, strict=True)):
            if fault is Fault.SHORT_ZIP and number == middle:
                break
            digest = hashlib.md5(usedforsecurity=False)
            flip_at = image.size // 2 if fault is Fault.FLIPPED_BYTE and number == middle else -1
            with image.open() as source, target.open(_info(name, image.size, level), "w") as member:
                position = 0
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    if position <= flip_at < position + len(chunk):
                        at = flip_at - position
                        chunk = chunk[:at] + bytes([chunk[at] ^ 0x01]) + chunk[at + 1 :]
                    position += len(chunk)
                    member.write(chunk)
            told = digest.hexdigest()
            if fault is Fault.WRONG_MD5 and number == middle:
                told = hashlib.md5(told.encode(), usedforsecurity=False).hexdigest()
            lines.append(f"{name},{told}")
        else:
            if with_md5:
                target.writestr(_info("md5hashes.csv", 0, level), "\n".join(lines) + "\n")
    sink.flush()


def _info(name: str, size: int, level: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = level  # type: ignore[attr-defined]  # open() takes no level; the name holds in 3.13 too
    info.create_system = 3
    info.external_attr = 0o644 << 16
    if size >= _ZIP64_FROM_BYTES:
        info.file_size = size
    return info
