"""What `make demo` ingests: the built-in sample, a folder of DICOM, or a collection of the real TCIA.

In: the choice of the command line. Out: where series come from, what to ask for, and a name for exactly that, so that
the same demo a second time is the same run. Fails with ConfigurationError when the choice makes no sense.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx

from braingranary.devstack.sample_archive.index import FolderIndex, files_below
from braingranary.errors import Code, ConfigurationError, RejectedInput
from braingranary.storage.keys import checked_uid

_SERIES_TEXT_LENGTH_MAX: Final = 700_000  # what the DAG's form takes
_ANSWER_TIMEOUT_S: Final = 300.0  # for the list of all series, which the archive may have to read first


class HasAddress(Protocol):
    """A running archive."""

    @property
    def base_url(self) -> str:
        """Its NBIA v4 address."""
        ...


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The command line: without anything the built-in sample."""

    dicom: Path | None = None
    archive: str = "sample"
    collection: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        trouble = None
        if self.archive not in {"sample", "tcia"}:
            trouble = "ARCHIVE is sample or tcia"
        elif self.archive == "tcia" and not self.collection:
            trouble = "ARCHIVE=tcia needs COLLECTION=<name>"
        elif self.archive == "tcia" and self.dicom:
            trouble = "choose DICOM=<folder> or ARCHIVE=tcia"
        elif self.dicom and not self.dicom.is_dir():
            trouble = f"DICOM={self.dicom} is no folder"
        elif self.limit is not None and self.limit < 1:
            trouble = "LIMIT is a whole number from 1 on"
        if trouble:
            raise ConfigurationError(Code.CONFIGURATION_INVALID, trouble)

    @property
    def archive_name(self) -> str:
        """The archive's name in keys and catalogue."""
        return "folder" if self.dicom else self.archive


@dataclass(frozen=True, kw_only=True)
class Request:
    """One run of `tcia_ingest`: its id, its conf, and remarks for people."""

    run_id: str
    conf: Mapping[str, object]
    series_count: int | None
    remarks: tuple[str, ...] = ()


def check_folder(choice: Choice) -> None:
    """Raise ConfigurationError unless the chosen folder holds a series of DICOM: asked before anything is started."""
    if choice.dicom is None:
        return
    found = FolderIndex(choice.dicom.resolve()).series.values()
    if not any(choice.collection in {None, series.collection} for series in found):
        where = f"{choice.dicom}, collection {choice.collection}" if choice.collection else str(choice.dicom)
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"no DICOM series found in {where}")


def content_digest(folder: Path) -> str:
    """A digest of the names, sizes and times of all files below a folder; reads none of them."""
    digest = hashlib.sha256()
    for path in sorted(files_below(folder)):
        state = path.stat()
        digest.update(f"{path.relative_to(folder)}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def request_for(choice: Choice, archive: HasAddress | None, content: str) -> Request:
    """What to trigger. A local archive is asked for its series, because a run takes a collection or a list."""
    if archive is None:
        return _request(choice, {"collection": choice.collection, "limit": choice.limit}, content, None, ())
    with httpx.Client(base_url=archive.base_url, timeout=_ANSWER_TIMEOUT_S, trust_env=False) as client:
        query = {"Collection": choice.collection} if choice.collection else {}
        records = _answer(client, "getSeries", query)
    usable, hostile = [], 0
    for record in records:
        try:
            usable.append(checked_uid(str(record.get("SeriesInstanceUID", ""))))
        except RejectedInput:
            hostile += 1
    usable = sorted(set(usable))
    if not usable:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "no DICOM series found there")
    listed = "\n".join(usable)
    remarks = (f"{hostile} series have no valid UID and cannot be asked for",) if hostile else ()
    if len(listed) > _SERIES_TEXT_LENGTH_MAX:
        message = "too many series for one run: choose one with COLLECTION=<name>"
        raise ConfigurationError(Code.CONFIGURATION_INVALID, message)
    conf = {"series": listed, "modality": None, "limit": choice.limit}
    return _request(choice, conf, content, min(len(usable), choice.limit or len(usable)), remarks)


def _answer(client: httpx.Client, endpoint: str, query: Mapping[str, str]) -> list[Mapping[str, object]]:
    answer = client.get(endpoint, params=query).raise_for_status()
    records = answer.json() if answer.content.strip() else []
    return [record for record in records if isinstance(record, dict)]


def _request(
    choice: Choice, conf: Mapping[str, object], content: str, count: int | None, remarks: tuple[str, ...]
) -> Request:
    asked = {name: value for name, value in conf.items() if value is not None or name == "modality"}
    told = json.dumps([choice.archive_name, content, asked], sort_keys=True)
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return Request(run_id=f"demo-{choice.archive_name}-{digest}", conf=asked, series_count=count, remarks=remarks)
