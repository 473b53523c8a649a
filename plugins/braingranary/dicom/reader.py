"""Read one series: files in, volumes with geometry, traits and a de-identified header out.

Every file passes the guarded walk first; one that is broken is left out and told (`FileReject`), and only where
nothing is left does the series fail. The result depends on the content alone, not on names or order of the files.
Fails with RejectedInput: the code of the files where all were refused, SERIES_EMPTY, SERIES_TOO_LARGE, LOCALIZER,
SLICES_CONFLICT, MODALITY_UNSUPPORTED, UID_INVALID.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from braingranary.dicom import tags
from braingranary.dicom.assembly.clusters import chained_rows, labelled_vectors
from braingranary.dicom.assembly.geometry import upward_normal
from braingranary.dicom.assembly.volumes import build_volumes
from braingranary.dicom.elements import Elements
from braingranary.dicom.frames import Frame, frames_of
from braingranary.dicom.header.deidentify import deidentified_header
from braingranary.dicom.limits import DEFAULT_LIMITS, Limits
from braingranary.dicom.pixel_spool import PixelSpool
from braingranary.dicom.walk import WalkedFile, walk_file
from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import FileReject, ReadVolume, SeriesImages, reference_first

STRAY_SHARE_MAX: Final = 0.2
"""Files of another kind than the rest (series, orientation, matrix) are strays up to this share, no longer beyond."""
ORIENTATION_TOLERANCE: Final = 0.01
"""Direction cosines that differ by no more are one orientation (about half a degree)."""
SPACING_TOLERANCE_MM: Final = 0.001
"""Pixel spacings that differ by no more are equal: half a millimetre over 512 pixels."""
MOVED_COSINE_MIN: Final = 0.96
"""Normals that lean from each other by less than 16 degrees are one head that moved, not planes of a localizer."""
STACK_SLICES_MIN: Final = 4
"""A second orientation with fewer slices is a localizer, not a stack of its own."""
_UID_LENGTH_MAX: Final = 64  # PS3.5 chapter 9
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+\Z", re.ASCII)

_UNFORESEEN: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, struct.error)

_log = structlog.get_logger(__name__)
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _ReadFile:
    """One file that passed: who it says it is, and its frames."""

    name: str
    series_uid: str
    instance_uid: str
    elements: Elements
    syntax_uid: str
    frames: list[Frame]

    @property
    def enhanced(self) -> bool:
        """Whether it is a multi-frame file with functional groups."""
        return bool(self.elements.items(tags.PER_FRAME_FUNCTIONAL_GROUPS))


def read_series(files: Iterable[tuple[str, bytes]], *, limits: Limits = DEFAULT_LIMITS) -> SeriesImages:
    """Read the files of one series.

    `files` gives names and bytes; volumes come out with voxels (slices, rows, columns), an affine in RAS+ millimetres
    and slices by increasing R, A or S. Raises RejectedInput with a stable code, nothing else.
    """
    rejects: list[FileReject] = []
    good = _read_files(files, limits, rejects)
    series_uid = _most_common([file.series_uid for file in good])
    good = _without_strays(
        good, lambda file: file.series_uid != series_uid, Code.SERIES_MIXED, "file of another series", rejects
    )
    good = _without_strays(good, _says_localizer, Code.LOCALIZER, "image type says localizer", rejects)
    volumes: list[ReadVolume] = []
    used: set[int] = set()
    for oriented in _by_orientation([frame for file in good for frame in file.frames], good, rejects):
        for group in _by_matrix(oriented, good, rejects):
            read, left_out = build_volumes(group)
            volumes.extend(read)
            used.update(frame.file for frame in group)
            _reject_frames([left_out], good, rejects, Code.SLICES_CONFLICT, "a volume of the series is not complete")
    reference = min((good[index] for index in used), key=lambda file: file.instance_uid)
    if rejects:
        _log.warning("files left out", count=len(rejects), codes=sorted({reject.code for reject in rejects}))
    return SeriesImages(
        series_uid=series_uid,
        study_uid=_checked_uid(reference.elements.text(tags.STUDY_INSTANCE_UID)),
        header=deidentified_header(reference.elements),
        volumes=reference_first(volumes) if volumes else (),
        transfer_syntax=_most_common([good[index].syntax_uid for index in used]),
        file_rejects=tuple(rejects),
    )


def _read_files(files: Iterable[tuple[str, bytes]], limits: Limits, rejects: list[FileReject]) -> list[_ReadFile]:
    """Every readable file; the rest goes to `rejects`. Raises where nothing is left or a budget is spent."""
    good: list[_ReadFile] = []
    spool = PixelSpool(limits.pixel_bytes_in_memory)
    pixel_bytes = 0
    for count, (name, data) in enumerate(files, start=1):
        if count > limits.files_max:
            raise RejectedInput(Code.SERIES_TOO_LARGE, f"more than {limits.files_max} files")
        try:
            found = _read_file(name, data, len(good), limits)
        except RejectedInput as error:
            rejects.append(FileReject(name=name, code=error.code, detail=error.message))
            continue
        except _UNFORESEEN as error:
            # the last resort: hostile bytes found a way that no check above foresaw
            _log.error("unforeseen failure on a file", error=type(error).__name__)
            rejects.append(FileReject(name=name, code=Code.DICOM_CORRUPT, detail="file cannot be understood"))
            continue
        pixel_bytes += sum(frame.stored.nbytes for frame in found.frames)
        if pixel_bytes > limits.pixel_bytes_series_max:
            raise RejectedInput(Code.SERIES_TOO_LARGE, f"more than {limits.pixel_bytes_series_max} bytes of pixels")
        for frame in found.frames:
            frame.stored = spool.keep(frame.pixels)
        good.append(found)
    if not good:
        if not rejects:
            raise RejectedInput(Code.SERIES_EMPTY, "no files")
        code = _most_common([reject.code for reject in rejects])
        detail = next(reject.detail for reject in rejects if reject.code == code)
        raise RejectedInput(code, f"none of {len(rejects)} files can be used: {detail}")
    return good


def _read_file(name: str, data: bytes, index: int, limits: Limits) -> _ReadFile:
    walked: WalkedFile = walk_file(data, limits)
    elements = walked.elements
    series_uid = _checked_uid(elements.text(tags.SERIES_INSTANCE_UID))
    if elements.text(tags.MODALITY) != "MR":
        raise RejectedInput(Code.MODALITY_UNSUPPORTED, "not a magnetic resonance image")
    return _ReadFile(
        name=name,
        series_uid=series_uid,
        instance_uid=elements.text(tags.SOP_INSTANCE_UID) or "",
        elements=elements,
        syntax_uid=walked.syntax.uid,
        frames=frames_of(walked, index, limits),
    )


def _checked_uid(uid: str | None) -> str:
    if uid is None or len(uid) > _UID_LENGTH_MAX or not _UID.match(uid):
        raise RejectedInput(Code.UID_INVALID, "a UID of the series is missing or malformed")
    return uid


def _without_strays(
    files: list[_ReadFile], is_stray: Callable[[_ReadFile], bool], code: Code, detail: str, rejects: list[FileReject]
) -> list[_ReadFile]:
    """`files` without a few strays, which become rejects; raises `code` where they are more than a few."""
    strays = [file for file in files if is_stray(file)]
    if not strays:
        return files
    if len(strays) > STRAY_SHARE_MAX * len(files):
        raise RejectedInput(code, f"{len(strays)} of {len(files)} files: {detail}")
    rejects.extend(FileReject(name=file.name, code=code, detail=detail) for file in strays)
    kept = [file for file in files if not is_stray(file)]
    for index, file in enumerate(kept):
        for frame in file.frames:
            frame.file = index
    return kept


def _says_localizer(file: _ReadFile) -> bool:
    return "LOCALIZER" in file.elements.texts(tags.IMAGE_TYPE)


def _by_orientation(frames: list[Frame], files: list[_ReadFile], rejects: list[FileReject]) -> list[list[Frame]]:
    """Frames by orientation: a few strays are left out, two real stacks stay, three or more make a localizer.

    Orientations that lean from each other by little are one head that moved, however many they are.
    """
    groups = _grouped(frames, _orientations(frames))
    if len(groups) == 1:
        return groups
    biggest = max(groups, key=len)
    if len(frames) - len(biggest) <= STRAY_SHARE_MAX * len(frames):
        strays = [group for group in groups if group is not biggest]
        detail = "another orientation than the series"
        _reject_frames(strays, files, rejects, Code.SERIES_MIXED, detail)
        return [biggest]
    normals = np.array([upward_normal(group[0].grid) for group in groups])
    moved = float((normals @ normals.T).min()) > MOVED_COSINE_MIN
    two_stacks = len(groups) == 2 and min(len(group) for group in groups) >= STACK_SLICES_MIN
    if not (moved or two_stacks):
        raise RejectedInput(Code.LOCALIZER, f"{len(groups)} orientations in one series")
    return groups


def _orientations(frames: list[Frame]) -> NDArray[np.int64]:
    """A label of every frame's orientation."""
    cosines = [(*frame.grid.row_direction, *frame.grid.column_direction) for frame in frames]
    rows = np.array(cosines)
    labels = chained_rows(rows, ORIENTATION_TOLERANCE)
    spread = max(float(np.ptp(rows[labels == label], axis=0).max()) for label in np.unique(labels))
    if spread > 2 * ORIENTATION_TOLERANCE:  # planes that turn little by little are no stack
        labels = np.array(labelled_vectors(cosines, ORIENTATION_TOLERANCE), dtype=np.int64)
    return labels


def _by_matrix(frames: list[Frame], files: list[_ReadFile], rejects: list[FileReject]) -> list[list[Frame]]:
    """Frames by rows, columns, spacing and kind of file.

    Strays are left out; real second matrices become volumes of their own, and so do the images of enhanced files beside
    classic ones. Raises RejectedInput(SERIES_MIXED) where nothing but strays is there.
    """
    kinds = np.array([(frame.grid.rows, frame.grid.columns, files[frame.file].enhanced) for frame in frames])
    spacings = np.array([(frame.grid.row_spacing_mm, frame.grid.column_spacing_mm) for frame in frames])
    labels = np.column_stack((kinds, chained_rows(spacings, SPACING_TOLERANCE_MM)))
    groups = _grouped(frames, np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1))
    strays = [group for group in groups if len(group) <= 2 and len(group) <= STRAY_SHARE_MAX * len(frames)]
    if len(strays) == len(groups):
        raise RejectedInput(Code.SERIES_MIXED, f"{len(groups)} different matrices or spacings in {len(frames)} images")
    _reject_frames(strays, files, rejects, Code.SERIES_MIXED, "another matrix or spacing than the series")
    return [group for group in groups if not any(group is stray for stray in strays)]


def _grouped(frames: list[Frame], labels: NDArray[np.int64]) -> list[list[Frame]]:
    groups: dict[int, list[Frame]] = {}
    for frame, label in zip(frames, labels, strict=True):
        groups.setdefault(int(label), []).append(frame)
    return [groups[found] for found in sorted(groups)]


def _reject_frames(
    groups: list[list[Frame]], files: list[_ReadFile], rejects: list[FileReject], code: Code, detail: str
) -> None:
    indices = sorted({frame.file for group in groups for frame in group})
    rejects.extend(FileReject(name=files[index].name, code=code, detail=detail) for index in indices)


def _most_common(values: Sequence[_Key]) -> _Key:
    """The commonest value; among equals the smallest by its text, so that the order of files does not matter."""
    counts = Counter(values)
    most = max(counts.values())
    return min((value for value, count in counts.items() if count == most), key=str)
