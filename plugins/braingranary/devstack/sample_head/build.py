"""Write the built-in sample as a folder of DICOM: collection / subject / series / files.

In: a folder that need not exist. Out: the files and a `SampleSummary` of what they are. The folder appears whole or
not at all (it is written beside its place and renamed), and a folder that already holds this very sample is left
alone, so a second call is quick. Two builds give the same bytes. Fails with ConfigurationError where the demo
requirements are not installed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from braingranary.devstack.sample_head.acquire import scan_mask
from braingranary.devstack.sample_head.classic import classic_files, encode, localizer_files
from braingranary.devstack.sample_head.enhanced import enhanced_file
from braingranary.devstack.sample_head.head import load_head
from braingranary.devstack.sample_head.headers import series_uid, study_uid
from braingranary.devstack.sample_head.plan import SERIES, Form, SeriesPlan
from braingranary.devstack.sample_head.segmentation import mask_series_uid, segmentation_file
from braingranary.errors import Code
from braingranary.records import Plane

VERSION: Final = 4
"""Raised whenever the sample's bytes change: an older folder is then written anew."""
ARCHIVE_RECORD: Final = {
    "LicenseName": "MNI ICBM152: free to use, copy, modify and distribute with its copyright notice",
    "LicenseURI": "https://nist.mni.mcgill.ca/icbm-152-nonlinear-atlases-2009/",
}
"""What the archive tells of every collection: the licence of the average head that all series are cut from."""
MAX_THREADS: Final = 4
"""Sampling releases the interpreter's lock, so series are cut side by side; each holds about 150 MB."""
ABANDONED_SECONDS: Final = 3600
"""A half-written folder untouched for this long is nobody's; a build takes seconds."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSeries:
    """What one series of the sample is, and what must become of it."""

    collection: str
    subject: str
    folder: str
    """Path below the sample's folder, with `/`."""
    series_uid: str
    study_uid: str
    modality: str
    plane: Plane
    slices: int
    """Slices of the volume; for a mask, of the volume it belongs to."""
    lesion: bool
    expected_reject: Code | None
    """The code that it should be rejected with; None where it should be catalogued, or for a mask, give labels."""
    mask_of: str | None = None
    """SeriesInstanceUID of the images that this mask belongs to."""

    @property
    def catalogued(self) -> bool:
        """Whether it becomes a series of the catalogue: images that are not rejected. A mask only gives labels."""
        return self.modality == "MR" and self.expected_reject is None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSummary:
    """The whole sample."""

    folder: Path
    series: tuple[SampleSeries, ...]
    files: int
    bytes: int

    @property
    def collections(self) -> tuple[str, ...]:
        """Names of the collections, sorted."""
        return tuple(sorted({series.collection for series in self.series}))


def build(folder: Path) -> SampleSummary:
    """Write the sample into `folder` unless it already holds it; what else was in there is removed.

    Beside the folder stands `<name>.json`, which tells the version, the files and the bytes written.
    """
    stamp = folder.with_name(f"{folder.name}.json")
    summary = _summary(folder)
    if _stamp(summary) == _read_stamp(stamp):
        return summary
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    partial = Path(tempfile.mkdtemp(prefix=_partial_prefix(folder), dir=folder.parent))
    try:
        load_head()  # once, before the threads: it is kept
        with ThreadPoolExecutor(max_workers=min(MAX_THREADS, os.cpu_count() or 1)) as pool:
            for _ in pool.map(lambda plan: _write_series(partial, plan), SERIES):
                pass
        for collection in {plan.subject.collection for plan in SERIES}:
            (partial / collection / "archive.json").write_text(json.dumps(ARCHIVE_RECORD, indent=1) + "\n")
        partial.chmod(0o755)
        _put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    summary = _summary(folder)
    _write_stamp(stamp, _stamp(summary))
    log.info("sample written", series=len(summary.series), files=summary.files, bytes=summary.bytes)
    return summary


def expected_series() -> tuple[SampleSeries, ...]:
    """What the sample holds, without writing it."""
    return tuple(series for plan in SERIES for series in _described(plan))


def _put_in_place(partial: Path, folder: Path) -> None:
    """Make `folder` what `partial` holds. A second copy of us that was quicker wrote the same: then it stays."""
    if folder.exists() and not _same(partial, folder):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        partial.rename(folder)
    except OSError:
        if not _same(partial, folder):
            raise


def _same(one: Path, other: Path) -> bool:
    """Whether both hold the same files; by their bytes, for slices of two versions of the sample are equally long."""
    names = _sizes(one)
    return names == _sizes(other) and all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _sweep(folder: Path) -> None:
    """Remove what a build that was killed left beside the folder; younger ones may still be at work."""
    for left in folder.parent.glob(f"{_partial_prefix(folder)}*"):
        if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _partial_prefix(folder: Path) -> str:
    return f".{folder.name}-"


def _write_stamp(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _write_series(root: Path, plan: SeriesPlan) -> None:
    head = load_head(plan.subject.lesion)
    files: Iterator[bytes]
    if plan.form is Form.LOCALIZER:
        files = localizer_files(plan, head)
    elif plan.form is Form.ENHANCED:
        files = iter((encode(enhanced_file(plan, head)),))
    else:
        files = classic_files(plan, head)
    _write_files(root / _folder(plan), files)
    if plan.mask:
        mask = scan_mask(head, plan.grid, plan.subject.traits)
        _write_files(root / _mask_folder(plan), iter((encode(segmentation_file(plan, mask)),)))


def _write_files(folder: Path, files: Iterator[bytes]) -> None:
    folder.mkdir(parents=True)
    for number, data in enumerate(files, start=1):
        (folder / f"1-{number:03d}.dcm").write_bytes(data)


def _folder(plan: SeriesPlan) -> str:
    return plan.key


def _mask_folder(plan: SeriesPlan) -> str:
    return f"{plan.key}_seg"


def _described(plan: SeriesPlan) -> Iterator[SampleSeries]:
    images = SampleSeries(
        collection=plan.subject.collection,
        subject=plan.subject.name,
        folder=_folder(plan),
        series_uid=series_uid(plan),
        study_uid=study_uid(plan),
        modality="MR",
        plane=plan.grid.plane,
        slices=plan.grid.slices,
        lesion=plan.subject.lesion is not None,
        expected_reject=plan.expected_reject,
    )
    yield images
    if plan.mask:
        yield SampleSeries(
            collection=images.collection,
            subject=images.subject,
            folder=_mask_folder(plan),
            series_uid=mask_series_uid(plan),
            study_uid=images.study_uid,
            modality="SEG",
            plane=images.plane,
            slices=images.slices,
            lesion=True,
            expected_reject=None,
            mask_of=images.series_uid,
        )


def _summary(folder: Path) -> SampleSummary:
    sizes = _sizes(folder)
    return SampleSummary(folder=folder, series=expected_series(), files=len(sizes), bytes=sum(sizes.values()))


def _stamp(summary: SampleSummary) -> str:
    return json.dumps({"version": VERSION, "files": summary.files, "bytes": summary.bytes}, sort_keys=True)


def _read_stamp(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
