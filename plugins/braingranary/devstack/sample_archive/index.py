"""The index of a folder of DICOM: which series lie in it, by their headers alone.

The name of the first-level folder is the collection; files above any folder belong to `DEFAULT_COLLECTION`. A file
`archive.json` in a collection's folder overrides fields of its records (LicenseName, LicenseURI, DataDescriptionURI,
Site, DateReleased, ...). Files that are not DICOM are ignored; links are followed, and a gzipped file counts as what
it holds. Headers are read once a version (path, size, mtime).
"""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, Final, cast

import pydicom
from pydicom.filereader import read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian

DEFAULT_COLLECTION: Final = "Sample"
OVERRIDES_NAME: Final = "archive.json"
_HEADER_BYTES_MAX: Final = 4 * 1024 * 1024  # what is wanted stands at the front of a file
_GZIP_MAGIC: Final = b"\x1f\x8b"
_INFLATED_BYTES_MAX: Final = 4 * 1024**3  # more than any file of a scanner; a bomb is no series
_CHUNK_BYTES: Final = 1024 * 1024
_TAGS: Final = (
    "SOPInstanceUID",
    "StudyDate",
    "SeriesDate",
    "Modality",
    "Manufacturer",
    "StudyDescription",
    "SeriesDescription",
    "ManufacturerModelName",
    "PatientID",
    "PatientSex",
    "PatientAge",
    "BodyPartExamined",
    "SoftwareVersions",
    "ProtocolName",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "AdmittingDiagnosesDescription",
)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One DICOM file and what its header says, as plain text by keyword."""

    path: Path
    size: int
    """Bytes of the DICOM file itself, inflated where the file is gzipped."""
    mtime: float
    header: Mapping[str, str]
    gzipped: bool = False

    def open(self) -> IO[bytes]:
        """The bytes of the DICOM file itself."""
        return _open(self.path, gzipped=self.gzipped)


@dataclass(slots=True)
class Series:
    """One series of one collection, its files in instance order."""

    collection: str
    uid: str
    files: list[ImageFile] = field(default_factory=list)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def header(self) -> Mapping[str, str]:
        """The header of the first file speaks for the series."""
        return self.files[0].header

    @property
    def size(self) -> int:
        """Bytes of all images."""
        return sum(item.size for item in self.files)

    @property
    def released(self) -> date:
        """The day on which its newest file was written (UTC)."""
        return datetime.fromtimestamp(max(item.mtime for item in self.files), UTC).date()


class FolderIndex:
    """All series below `root`; `refresh()` reads what is new and forgets what is gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, int, float], ImageFile | None] = {}
        self._series: dict[str, Series] = {}
        self.refresh()

    @property
    def series(self) -> Mapping[str, Series]:
        """Series by SeriesInstanceUID, in order of collection, patient and UID."""
        return self._series

    def refresh(self) -> None:
        """Look at the folder again."""
        with self._lock:
            known: dict[tuple[Path, int, float], ImageFile | None] = {}
            found: dict[str, Series] = {}
            overrides: defaultdict[str, dict[str, Any]] = defaultdict(dict)
            for path in sorted(files_below(self._root)):
                relative = path.relative_to(self._root)
                collection = relative.parts[0] if len(relative.parts) > 1 else DEFAULT_COLLECTION
                if path.name == OVERRIDES_NAME:
                    overrides[collection] = json.loads(path.read_text())
                    continue
                stat = path.stat()
                version = (path, stat.st_size, stat.st_mtime)
                known[version] = self._known[version] if version in self._known else _read(path, *version[1:])
                if (image := known[version]) is not None:
                    uid = image.header["SeriesInstanceUID"]
                    found.setdefault(uid, Series(collection, uid)).files.append(image)
            for series in found.values():
                series.files.sort(key=lambda item: (_number(item.header.get("InstanceNumber")), item.path))
                series.overrides = overrides[series.collection]
            ordered = sorted(
                found.values(), key=lambda item: (item.collection, item.header.get("PatientID", ""), item.uid)
            )
            self._known, self._series = known, {item.uid: item for item in ordered}


def _place(series: Series) -> tuple[str, str, str]:
    return series.collection, series.header.get("PatientID", ""), series.uid


def files_below(root: Path) -> Iterator[Path]:
    """All files of a folder and its folders, links followed; a folder that links lead to again is not walked again."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        state = Path(folder).stat()
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        yield from (path for name in names if (path := Path(folder) / name).is_file())


def _number(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _read(path: Path, size: int, mtime: float) -> ImageFile | None:
    """The file's header, or None where it is not DICOM or names no series."""
    try:
        with path.open("rb") as file:
            gzipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        with _open(path, gzipped=gzipped) as file:
            front = file.read(_HEADER_BYTES_MAX)
            if front[128:132] != b"DICM":
                return None
            if gzipped and (size := _length(file, len(front))) > _INFLATED_BYTES_MAX:
                return None
    except (OSError, EOFError, zlib.error):  # unreadable, or broken gzip
        return None
    try:
        dataset = _dataset(front)
        header = {
            keyword: "\\".join(map(str, value)) if isinstance(value, pydicom.multival.MultiValue) else str(value)
            for keyword in _TAGS
            if (value := dataset.get(keyword)) not in (None, "")
        }
    except Exception:  # noqa: BLE001 - hostile files raise anything; an archive would not have taken this one
        return None
    if "SeriesInstanceUID" not in header:
        return None
    return ImageFile(path, size, mtime, header, gzipped)


def _open(path: Path, *, gzipped: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if gzipped else path.open("rb")


def _length(file: IO[bytes], read: int) -> int:
    """Bytes of the file of which `read` are read already; no more than one chunk beyond the most that there may be."""
    while read <= _INFLATED_BYTES_MAX and (chunk := file.read(_CHUNK_BYTES)):
        read += len(chunk)
    return read


def _dataset(front: bytes) -> pydicom.Dataset:
    """The wanted tags from the first bytes of a file; of a deflated one no more than those bytes again is inflated."""
    file = io.BytesIO(front)
    read_preamble(file, force=False)
    meta = pydicom.filereader._read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return pydicom.dcmread(io.BytesIO(front), stop_before_pixels=True, specific_tags=list(_TAGS))
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), _HEADER_BYTES_MAX)
    return pydicom.filereader.read_dataset(
        io.BytesIO(inflated),
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >= 0x7FE00008,
        specific_tags=[pydicom.tag.Tag(name) for name in _TAGS],
    )
